/** What is known of each symbol: plans that wait, orders in doubt, holds, limits used. */
import {
  type IssuerName,
  type Keys,
  ledgerRecord,
  orderRecord,
  readableFields,
  snapshotRecord,
} from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";

const SCAN_COUNT = 1_000;
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
  limits: Limits;
}

/** An order whose outcome nobody knows yet. */
export interface Doubt {
  planId: string;
  sinceMs: number;
}

/** Exchange and ledger disagree. Beyond the tolerance P3.3 denies the symbol. */
export interface Hold {
  symbol: string;
  sinceMs: number;
  exchangeAmt: string;
  ledgerAmt: string;
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

export async function readSymbols(redis: RedisClient, keys: Keys, nowMs: number): Promise<SymbolState[]> {
  const named = await Promise.all([
    redis.smembers(keys.orderSymbols),
    symbolsUnder(redis, keys.ledger("")),
    symbolsUnder(redis, keys.waiting("")),
  ]);
  const symbols = [...new Set(named.flat())].toSorted();
  return Promise.all(symbols.map((symbol) => readSymbol(redis, keys, symbol, nowMs)));
}

/** The symbols for which there is a key that begins so. */
export async function symbolsUnder(redis: RedisClient, prefix: string): Promise<string[]> {
  const found = new Set<string>();
  for (let cursor = "0"; ;) {
    const [next, keys] = await redis.scan(cursor, "MATCH", `${prefix}*`, "COUNT", SCAN_COUNT);
    for (const key of keys) found.add(key.slice(prefix.length));
    if (next === "0") return [...found].toSorted();
    cursor = next;
  }
}

export async function readHold(redis: RedisClient, keys: Keys, symbol: string): Promise<Hold | undefined> {
  const [ledgerHash, snapshotHash] = await Promise.all([
    redis.hgetall(keys.ledger(symbol)),
    redis.hgetall(keys.snapshot(symbol)),
  ]);
  const ledger = readableFields(ledgerRecord, ledgerHash).fields;
  const snapshot = readableFields(snapshotRecord, snapshotHash).fields;
  if (!ledger.disagrees_since_ms) return undefined;
  return {
    symbol,
    sinceMs: Number(ledger.disagrees_since_ms),
    exchangeAmt: snapshot.position_amt ?? "",
    ledgerAmt: ledger.last_known_amt ?? "",
  };
}

async function readSymbol(
  redis: RedisClient,
  keys: Keys,
  symbol: string,
  nowMs: number,
): Promise<SymbolState> {
  const { totals, executions } = keys.reservations(GOVERNOR, symbol);
  const [waiting, unsettled, inDoubt, hold, sums, hour, burst] = await Promise.all([
    redis.zcard(keys.waiting(symbol)),
    redis.zcard(keys.unsettled(symbol)),
    readDoubts(redis, keys, symbol),
    readHold(redis, keys, symbol),
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

async function readDoubts(redis: RedisClient, keys: Keys, symbol: string): Promise<Doubt[]> {
  const planIds = await redis.smembers(keys.unknown(symbol));
  return Promise.all(
    planIds.toSorted().map(async (planId) => {
      const { fields } = readableFields(orderRecord, await redis.hgetall(keys.order(planId)));
      return { planId, sinceMs: Number(fields.unknown_at_ms ?? 0) };
    }),
  );
}

/** From 1e-8 to decimal text, without trailing zeros. */
function decimalOf(units: string): string {
  const digits = units.padStart(UNIT_DECIMALS + 1, "0");
  const decimals = digits.slice(-UNIT_DECIMALS).replace(/0+$/, "");
  return decimals === "" ? digits.slice(0, -UNIT_DECIMALS) : `${digits.slice(0, -UNIT_DECIMALS)}.${decimals}`;
}
