/** All that Redis knows of one plan: its record, what was spent, its order, and its entries in the streams. */
import { orderRecord, planRecord, readableFields, type Texts } from "@quantum/contract";
import type { Access } from "./access.ts";
import type { Place } from "./place.ts";
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
  place: Place,
  planId: string,
  { attemptsBudgetMs = Number.POSITIVE_INFINITY }: ReadPlanOptions = {},
): Promise<PlanHistory | undefined> {
  const { redis, keys } = place;
  const [record, order] = await Promise.all([
    redis.hgetall(keys.plan(planId)),
    redis.hgetall(keys.order(planId)),
  ]);
  const told = readableFields(planRecord, record);
  const claim = readableFields(orderRecord, order);
  const { notSearched, ...entries } = await entriesOf(place, planId, {
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

/**
 * The same of a plan of which only its id is known: the id does not tell its partition.
 * @throws if a partition does not answer and no other knows the plan: it may be there
 */
export async function findPlan(
  access: Access,
  planId: string,
  options?: ReadPlanOptions,
): Promise<PlanHistory | undefined> {
  const place = await placeOfPlan(access, planId);
  if (place !== undefined) return readPlan(place, planId, options);
  // Neither record nor order is left: only entries may tell of it.
  const read = await Promise.all(access.partitions.map((partition) => readPlan(partition, planId, options)));
  return read.find((history) => history !== undefined);
}

/** Where a plan's record or its order is; with one partition that. @throws as {@link findPlan} */
export async function placeOfPlan({ partitions }: Access, planId: string): Promise<Place | undefined> {
  if (partitions.all.length === 1) return partitions.account;
  const looked = await Promise.allSettled(
    partitions.map(async (partition) => {
      const { redis, keys } = partition;
      const found = await Promise.all(
        [keys.order(planId), keys.spent(planId), keys.plan(planId), keys.dedupe(planId)].map((key) =>
          redis.exists(key),
        ),
      );
      return found.includes(1) ? partition : undefined;
    }),
  );
  const found = looked.flatMap((one) => (one.status === "fulfilled" ? (one.value ?? []) : []));
  const failed = looked.find(({ status }) => status === "rejected");
  if (found.length === 0 && failed?.status === "rejected") throw failed.reason;
  return found[0];
}
