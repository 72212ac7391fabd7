/** All that Redis knows of one plan: its record, what was spent, its order, and its entries in the streams. */
import { orderRecord, planRecord, readableFields, type Texts } from "@quantum/contract";
import type { Access } from "./access.ts";
import { entriesOf, type PlanEntries } from "./plan-entries.ts";

export type Fields = Readonly<Record<string, string>>;

export type PlanTexts = Texts<typeof planRecord>;
export type OrderTexts = Texts<typeof orderRecord>;

export interface PlanHistory extends PlanEntries {
  planId: string;
  /** Empty if there is none: never opened, older than a day, or reset. */
  record: PlanTexts;
  /** The executor's claim; empty without one. */
  order: OrderTexts;
  /** What of record and claim cannot be read, and so stands in neither. */
  unreadable: readonly string[];
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

export interface ReadPlanOptions {
  /** How long other attempts are looked for in the stream of plans, beyond the one that the record names. */
  attemptsBudgetMs?: number;
}

/**
 * Its entries are found by the times and ids that its record and its order name. Streams are searched whole where there is
 * neither, where a part of them cannot be read, and where the plan was opened more than once.
 * @returns undefined if nothing is known of it
 */
export async function readPlan(
  access: Access,
  planId: string,
  { attemptsBudgetMs = Number.POSITIVE_INFINITY }: ReadPlanOptions = {},
): Promise<PlanHistory | undefined> {
  const { redis, keys } = access;
  const [record, order] = await Promise.all([
    redis.hgetall(keys.plan(planId)),
    redis.hgetall(keys.order(planId)),
  ]);
  const told = readableFields(planRecord, record);
  const claim = readableFields(orderRecord, order);
  const { notSearched, ...entries } = await entriesOf(access, planId, {
    record: told.fields,
    order: claim.fields,
    isDamaged: told.problems.length + claim.problems.length > 0,
    attemptsBudgetMs,
  });
  const history = {
    planId,
    record: told.fields,
    order: claim.fields,
    unreadable: [
      ...told.problems.map((problem) => `${keys.plan(planId)}: ${problem}`),
      ...claim.problems.map((problem) => `${keys.order(planId)}: ${problem}`),
    ],
    notSearched,
    ...entries,
  };
  const { plans: opened, results: ended } = history;
  const known = Object.keys(record).length + Object.keys(order).length + opened.length + ended.length > 0;
  return known ? history : undefined;
}
