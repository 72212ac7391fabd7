/** What is known of each symbol: plans that wait, orders in doubt, holds, limits used. */
import type { IssuerName } from "@quantum/contract";
import type { Access } from "./access.ts";
import { type Doubt, readDoubts } from "./doubts.ts";
import { type Hold, readHold } from "./holds.ts";
import { symbolsUnder } from "./symbols-under.ts";
import { readUnfulfilled, type Unfulfilled } from "./unfulfilled.ts";

const FIVE_MINUTES_MS = 300_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** The scripts count amounts in 1e-8. */
const UNIT_DECIMALS = 8;
const GOVERNOR = "governor" satisfies IssuerName;

export interface SymbolState {
  symbol: string;
  /** Plans that wait for permits. */
  waiting: number;
  /** Orders claimed and not settled, and those of them that are in doubt. */
  unsettled: number;
  inDoubt: Doubt[];
  hold: Hold | null;
  unfulfilled: Unfulfilled | null;
  limits: Limits;
}

/** Decimal text; charged in this UTC day, and reserved by permits whose orders have not ended. */
interface Limits {
  executionsHour: number;
  executions5min: number;
  chargedQty: string;
  chargedNotional: string;
  reservedQty: string;
  reservedNotional: string;
}

export async function readSymbols(access: Access, nowMs: number): Promise<SymbolState[]> {
  const { redis, keys } = access;
  const named = await Promise.all([
    redis.smembers(keys.orderSymbols),
    symbolsUnder(redis, keys.ledger("")),
    symbolsUnder(redis, keys.waiting("")),
    symbolsUnder(redis, keys.closeWanted("")),
  ]);
  const symbols = [...new Set(named.flat())].toSorted();
  return Promise.all(symbols.map((symbol) => readSymbol(access, symbol, nowMs)));
}

async function readSymbol(access: Access, symbol: string, nowMs: number): Promise<SymbolState> {
  const { redis, keys } = access;
  const { totals, executions } = keys.reservations(GOVERNOR, symbol);
  const [waiting, unsettled, inDoubt, hold, unfulfilled, sums, hour, burst] = await Promise.all([
    redis.zcard(keys.waiting(symbol)),
    redis.zcard(keys.unsettled(symbol)),
    readDoubts(access, symbol),
    readHold(access, symbol),
    readUnfulfilled(access, symbol),
    redis.hgetall(totals),
    redis.zcount(executions, nowMs - HOUR_MS, "+inf"),
    redis.zcount(executions, nowMs - FIVE_MINUTES_MS, "+inf"),
  ]);
  const isToday = sums["day"] === String(Math.floor(nowMs / DAY_MS));
  const charged = (amount: string) => decimalOf((isToday ? sums[`charged:${amount}`] : undefined) ?? "0");
  const reserved = (amount: string) => decimalOf(sums[`reserved:${amount}`] ?? "0");
  return {
    symbol,
    waiting,
    unsettled,
    inDoubt,
    hold: hold ?? null,
    unfulfilled: unfulfilled ?? null,
    limits: {
      executionsHour: hour,
      executions5min: burst,
      chargedQty: charged("qty"),
      chargedNotional: charged("notional"),
      reservedQty: reserved("qty"),
      reservedNotional: reserved("notional"),
    },
  };
}

/** From 1e-8 to decimal text, without trailing zeros. */
function decimalOf(units: string): string {
  const digits = units.padStart(UNIT_DECIMALS + 1, "0");
  const decimals = digits.slice(-UNIT_DECIMALS).replace(/0+$/, "");
  return decimals === "" ? digits.slice(0, -UNIT_DECIMALS) : `${digits.slice(0, -UNIT_DECIMALS)}.${decimals}`;
}
