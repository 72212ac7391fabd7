/** What the governor counts of a symbol, beside what it may use: the amounts are decimal text. */
import { governorLimitsRecord, type IssuerName, readableFields } from "@quantum/contract";
import type { Place } from "./place.ts";
import { readableAmount } from "./readable-amount.ts";

const FIVE_MINUTES_MS = 300_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const GOVERNOR = "governor" satisfies IssuerName;

/** Charged in this UTC day, and reserved by permits whose orders have not ended; "" for an amount that cannot be read. */
export interface Limits {
  executionsHour: number;
  executions5min: number;
  chargedQty: string;
  chargedNotional: string;
  reservedQty: string;
  reservedNotional: string;
}

/** The same for every symbol, as the governor tells its settings; each "" where it does not. */
export interface Caps {
  executionsHour: string;
  executions5min: string;
  notionalDay: string;
  qtyDay: string;
}

export async function readCaps({ redis, keys }: Place): Promise<Caps> {
  const hash = await redis.hgetall(keys.governorLimits);
  const told = readableFields(governorLimitsRecord, hash).fields;
  return {
    executionsHour: told.executions_hour ?? "",
    executions5min: told.executions_5min ?? "",
    notionalDay: told.notional_day ?? "",
    qtyDay: told.qty_day ?? "",
  };
}

export async function readLimits({ redis, keys }: Place, symbol: string, nowMs: number): Promise<Limits> {
  const { totals, executions } = keys.reservations(GOVERNOR, symbol);
  const [sums, executionsHour, executions5min] = await Promise.all([
    redis.hgetall(totals),
    redis.zcount(executions, nowMs - HOUR_MS, "+inf"),
    redis.zcount(executions, nowMs - FIVE_MINUTES_MS, "+inf"),
  ]);
  const isToday = sums["day"] === String(Math.floor(nowMs / DAY_MS));
  const charged = (amount: string) =>
    readableAmount((isToday ? sums[`charged:${amount}`] : undefined) ?? "0");
  const reserved = (amount: string) => readableAmount(sums[`reserved:${amount}`] ?? "0");
  return {
    executionsHour,
    executions5min,
    chargedQty: charged("qty"),
    chargedNotional: charged("notional"),
    reservedQty: reserved("qty"),
    reservedNotional: reserved("notional"),
  };
}
