/** All that Redis knows of one plan: its record, what was spent, its order, and its entries in the streams. */
import { orderRecord, planRecord, readableFields, type Texts } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import type { Entry } from "@quantum/streams";
import type { Access } from "./access.ts";
import { oldestFirst } from "./entries.ts";

export type Fields = Readonly<Record<string, string>>;

export type PlanTexts = Texts<typeof planRecord>;
export type OrderTexts = Texts<typeof orderRecord>;

export interface PlanHistory {
  planId: string;
  /** Empty if there is none: never opened, older than a day, or reset. */
  record: PlanTexts;
  /** The executor's claim; empty without one. */
  order: OrderTexts;
  /** What of record and claim cannot be read, and so stands in neither. */
  unreadable: readonly string[];
  plans: Entry[];
  permits: Entry[];
  executes: Entry[];
  results: Entry[];
}

export interface Cap {
  issuer: string;
  /** In coins, below P3.3's safe quantity. */
  cap: string;
  /** The issuer's own reason for its permit. */
  reason: string;
}

/** Who granted less than P3.3, in the order in which the record was written. */
export function capsOf(record: PlanTexts): Cap[] {
  return Object.entries(record).flatMap(([field, cap]) => {
    const issuer = /^(.+)_cap$/.exec(field)?.[1];
    if (issuer === undefined || cap === undefined) return [];
    return [{ issuer, cap, reason: record[`${issuer}_reason`] ?? "" }];
  });
}

/** Undefined if nothing is known of it. */
export async function readPlan({ redis, keys }: Access, planId: string): Promise<PlanHistory | undefined> {
  const { plan, permit, execute, result } = keys.streams;
  const [record, order, plans, permits, executes, results] = await Promise.all([
    redis.hgetall(keys.plan(planId)),
    redis.hgetall(keys.order(planId)),
    ...[plan, permit, execute, result].map((stream) => entriesOf(redis, stream, planId)),
  ] as const);
  const told = readableFields(planRecord, record);
  const claim = readableFields(orderRecord, order);
  const history = {
    planId,
    record: told.fields,
    order: claim.fields,
    unreadable: [
      ...told.problems.map((problem) => `${keys.plan(planId)}: ${problem}`),
      ...claim.problems.map((problem) => `${keys.order(planId)}: ${problem}`),
    ],
    plans: plans ?? [],
    permits: permits ?? [],
    executes: executes ?? [],
    results: results ?? [],
  };
  const { plans: opened, results: ended } = history;
  const known = Object.keys(record).length + Object.keys(order).length + opened.length + ended.length > 0;
  return known ? history : undefined;
}

async function entriesOf(redis: RedisClient, stream: string, planId: string): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const entry of oldestFirst(redis, stream))
    if (entry.fields["plan_id"] === planId) found.push(entry);
  return found;
}
