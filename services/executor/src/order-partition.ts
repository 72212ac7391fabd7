/**
 * The orders of one partition: what claims, sends, queries and looks after them, on that partition's keys and connections. It
 * waits for no other partition. What belongs to the process or to the account is shared by all.
 */
import type { Exchange, RuleBook } from "@quantum/exchange";
import type { Partition, Partitions } from "@quantum/service-kit";
import type { ExecutorEvents } from "./events.ts";
import type { ExitOptions } from "./exit/exit-options.ts";
import { createExits } from "./exit/exits.ts";
import { createTold, tellingWhatIsLeft } from "./exit/told.ts";
import { createHandler } from "./handler.ts";
import { Handovers } from "./handovers.ts";
import type { Journal } from "./journal.ts";
import { LostClaims } from "./lost-claims.ts";
import type { OrderEvents } from "./order-events.ts";
import { createOrders } from "./orders.ts";
import type { Ownership } from "./ownership.ts";
import type { Queries } from "./queries.ts";
import { RedisMemory } from "./redis-memory.ts";
import { Replication } from "./replication.ts";
import { Resolver } from "./resolve.ts";
import { createSteps } from "./steps.ts";
import type { Trust } from "./verify.ts";

/** Orders queried at the same time, of all partitions together. */
const QUERIES_AT_ONCE = 16;

export interface SharedByPartitions extends Pick<ExitOptions, "drillReport" | "state"> {
  partitions: Partitions;
  group: string;
  /** This executor's name, as the owner's key has it. */
  instance: string;
  exchange: Exchange;
  rules: RuleBook;
  orderEvents: Pick<OrderEvents, "firstWord">;
  journal: Journal;
  trust: Trust;
  recvWindowMs: number;
  /** How long the exchange must deny an order. */
  absenceMs: number;
  minReplicas: number;
}

export type OrderPartition = ReturnType<typeof createOrderPartition>;

/** A partition, and what other parts of the executor use of it as well. */
export interface OwnedPartition extends Partition {
  ownership: Pick<Ownership, "sinceMs">;
  queries: Queries;
  events: ExecutorEvents;
  /** Its Redis's clock, in ms. */
  now: () => number;
}

export function createOrderPartition(
  { number, keys, redis, ownership, queries, events, now }: OwnedPartition,
  shared: SharedByPartitions,
) {
  const { partitions, group, instance, exchange, rules, orderEvents, trust } = shared;
  const { state, drillReport, recvWindowMs, absenceMs, minReplicas } = shared;
  const journal = shared.journal.of(number);
  const told = createTold({ redis, keys });
  const ordinary = createOrders({ redis, keys, group, instance, events });
  const orders = tellingWhatIsLeft(ordinary, told, exchange.as("exit"));
  const concurrency = Math.ceil(QUERIES_AT_ONCE / partitions.all.length);
  const resolver = new Resolver({ orders, queries, exchange, events, absenceMs, concurrency });
  const isHere = (symbol: string) => partitions.of(symbol).number === number;
  const lostClaims = new LostClaims({ redis, keys, orders, journal, events, isHere, resolve: resolver.wake });
  const memory = new RedisMemory(redis, keys, events, lostClaims.lost);
  const common = { orders, exchange, rules, memory, events, resolve: resolver.wake, recvWindowMs };
  const steps = createSteps({ ...common, orderEvents, journal, now });
  const ordering = { ...common, trust, journal, steps, now };
  const handle = createHandler({
    ...ordering,
    replication: new Replication(redis, minReplicas),
    ownership,
    exits: createExits({ ...ordering, told, state, drillReport }),
    isHere,
  });
  const handovers = new Handovers({ ...common, redis, keys, group, lostClaims });
  return { orders, memory, resolver, handovers, handle };
}
