/**
 * Runs an issuer: reads plans, lets the policy decide, writes permits and denials, settles reservations with results,
 * keeps the sums, and reports logs and metrics, in every partition. The issuer only adds its policy, of which there is one: a plan
 * names its symbol, and `context.partitions.of(symbol)` has that symbol's keys.
 */
import type { EventEmitter } from "node:events";
import { EXECUTE_TTL_MAX_MS, type Keys, TTL_SEC } from "@quantum/contract";
import { parseVenue } from "@quantum/exchange";
import { BOOKKEEPING_EVERY_MS, createIssuer, keepBooks } from "@quantum/permits";
import { redisNow } from "@quantum/redis";
import {
  type ConfigSource,
  createSimulation,
  every,
  type FollowedFile,
  ofPartition,
  type RedisContext,
  type Running,
  runService,
  simulationOf,
} from "@quantum/service-kit";
import { type ConsumerOptions, StreamConsumer } from "@quantum/streams";
import type { Signer } from "@quantum/signing";
import type { IssuerService } from "@quantum/topology";
import type { z } from "zod";
import { eventsOf, type HandlersOptions, type IssuerEvents, IssuerHandlers } from "./handlers.ts";
import type { Policy } from "./policy.ts";
import { createPermitSigner } from "./sign.ts";
import { followSigningKey } from "./signing-key.ts";
import { observeIssuer, timeAnswers } from "./telemetry.ts";

const MS_PER_SEC = 1_000;
/** Time for a result to reach the issuer, after the last moment at which the order can be executed. */
const RESULT_MARGIN_MS = 30_000;

export interface IssuerDefinition<Schema extends z.ZodObject> extends ConfigSource<Schema> {
  /** Its row in the topology. */
  service: IssuerService;
  /** One line for `--help`. */
  summary: string;
  start: (context: RedisContext<z.output<Schema>>) => IssuerWork | Promise<IssuerWork>;
}

/** What a started issuer returns. Until `begin` it has changed nothing and taken no work. */
export interface IssuerWork extends Pick<Running, "begin" | "stop" | "readiness"> {
  policy: Policy;
  /** How long permits and denials live, and when a reservation without a result expires (default: safely late). */
  lifetimes?: { permitSec: number; denialSec: number; reserveMs?: number };
  /** `limits` charges executions for a day; `quantities` end with their results. */
  reservations?: "limits" | "quantities";
  /** Symbols known without Redis; they become metric labels. */
  symbols?: Iterable<string>;
  /** Replaces the default telemetry. */
  observe?: (handlers: EventEmitter<IssuerEvents>) => void;
  /** The closed set of its reasons, for the default telemetry. */
  reasons?: readonly string[];
  /** Streams that it reads besides plans and results, in each partition. */
  reads?: readonly { stream: keyof Keys["streams"]; handle: ConsumerOptions["handle"] }[];
}

export async function runIssuer<Schema extends z.ZodObject>(
  definition: IssuerDefinition<Schema>,
): Promise<void> {
  const { service, start } = definition;
  const { portVariable, envPrefixes } = service;
  const [prefix = ""] = envPrefixes;
  const value = (config: z.output<Schema>, name: string) => (config as Record<string, unknown>)[name];
  await runService({
    ...definition,
    name: service.name,
    port: (config) => Number(value(config, portVariable)),
    level: (config) => String(value(config, `${prefix}LOG_LEVEL`)),
    start: async (context) => {
      const { config, log } = context;
      const signing = await followSigningKey(service, config, log);
      const work = await start(context);
      // TypeScript cannot look up a composed name.
      const simulation = simulationOf(context.config as never, `${prefix}SIM`);
      return running(service, work, context, { simulate: createSimulation(simulation), signing });
    },
  });
}

const LIFETIMES: NonNullable<IssuerWork["lifetimes"]> = {
  permitSec: TTL_SEC.permit,
  denialSec: TTL_SEC.denial,
};

interface Parts {
  simulate: HandlersOptions["simulate"];
  /** Undefined if the issuer has no key. */
  signing: FollowedFile<Signer> | undefined;
}

function running(
  service: IssuerService,
  work: IssuerWork,
  context: RedisContext<Readonly<Record<string, unknown>>>,
  { simulate, signing }: Parts,
): Running {
  const {
    group,
    issuer: { name: issuer },
  } = service;
  const { config, partitions, registry, stages, log, instance, progress } = context;
  const { policy, lifetimes = LIFETIMES, reservations = "quantities", reads = [] } = work;
  const {
    permitSec: permitTtlSec,
    denialSec: denialTtlSec,
    reserveMs: reserveTtlMs = permitTtlSec * MS_PER_SEC + EXECUTE_TTL_MAX_MS + RESULT_MARGIN_MS,
  } = lifetimes;
  const symbols = new Set(work.symbols);
  const sumsOf = `the sums of the ${reservations}`;
  /** What an issuer has in each partition, so that none waits for another one. */
  const parts = partitions.map((partition) => {
    const { keys, redis, connectForBlocking } = partition;
    const now = () => redisNow(redis);
    const owns = (symbol: string) => partitions.of(symbol) === partition;
    const handlers = new IssuerHandlers({
      issuer: createIssuer({ redis, keys, issuer, group, permitTtlSec, denialTtlSec, reserveTtlMs }),
      policy,
      simulate,
      owns,
      now,
      ...(signing && {
        sign: createPermitSigner({
          issuer: service.issuer,
          key: () => signing.current,
          venue: parseVenue(String(config["BINANCE_BASE_URL"])).name,
          account: String(config["QUANTUM_ACCOUNT"]),
          permitSec: permitTtlSec,
          now,
        }),
      }),
    });
    const keepSums = progress.of(partition.name).loop(`keep ${sumsOf}`, BOOKKEEPING_EVERY_MS, () =>
      keepBooks({
        redis,
        keys,
        issuer,
        reserveTtlMs,
        charges: reservations === "limits",
        symbols: [...symbols].filter(owns),
        onCorrection: (correction) => log.warn(correction, `${reservations} put right`),
      }),
    );
    const keepingFailed = (error: Error) =>
      log.error({ err: error }, `failed to keep ${sumsOf}${ofPartition(partition.name)}, trying again`);
    const consumer = { redis, connectForBlocking, keys, group, consumer: instance };
    return {
      handlers,
      startBooks: () => every(BOOKKEEPING_EVERY_MS, keepSums, keepingFailed),
      consumers: [
        new StreamConsumer({
          ...consumer,
          stream: keys.streams.plan,
          handle: (entry) => handlers.answerPlan(entry),
        }),
        new StreamConsumer({
          ...consumer,
          stream: keys.streams.result,
          handle: (entry) => handlers.settleResult(entry),
          // Giving up on a result would leave an order uncharged or a reservation open.
          maxDeliveries: Infinity,
        }),
        ...reads.map(
          ({ stream, handle }) => new StreamConsumer({ ...consumer, stream: keys.streams[stream], handle }),
        ),
      ],
    };
  });
  const handlers = eventsOf(parts.map((part) => part.handlers));
  timeAnswers(handlers, { issuer, stages, now: (symbol) => redisNow(partitions.of(symbol).redis) });
  if (work.observe !== undefined) work.observe(handlers);
  else {
    const labelOf = (symbol: string) => (symbols.has(symbol) ? symbol : "other");
    observeIssuer({ handlers, registry, labelOf, issuer, reasons: work.reasons ?? [], log });
  }

  let books: ReturnType<typeof every>[] = [];
  return {
    begin: async () => {
      books = parts.map((part) => part.startBooks());
      await work.begin?.();
    },
    consumers: parts.flatMap((part) => part.consumers),
    readiness: async () => [...((await work.readiness?.()) ?? []), ...(signing?.problems() ?? [])],
    stop: async () => {
      await signing?.stop();
      await work.stop?.();
      await Promise.all(books.map((book) => book.stop()));
    },
  };
}
