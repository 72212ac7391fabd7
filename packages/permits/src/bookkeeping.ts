/**
 * Keeps one issuer's reservations consistent: sums are rebuilt from their parts (`lua/permits/balance.lua`), and a reservation
 * whose plan has ended is ended as well (`release_ended.lua`), even if the result entry was lost. Every replica may run it;
 * running it twice changes nothing.
 */
import type { Keys } from "@quantum/contract";
import { bindScript, type RedisClient, redisNow } from "@quantum/redis";
import { balance, type Book } from "./balance.ts";
import { dropMistyped, type Index } from "./indexes.ts";

const runRelease = bindScript("permits/release_ended");

/** The interval. */
export const BOOKKEEPING_EVERY_MS = 10_000;
/** Plans end, and their results are read, faster than this. Older reservations are checked. */
const RESULT_MS = 10_000;
/**
 * P3.3 waits 30 s for an order's fills to appear and keeps the reservation until then. Otherwise the quantity would be
 * granted twice.
 */
const FILLS_MS = 35_000;
/** Reservations checked per run and symbol; the next run takes the rest. */
const LOOKED_AT_MAX = 200;

export interface BookkeepingOptions extends Book {
  /** Whether executions are charged to limits of this issuer. */
  charges: boolean;
  /** Symbols known without Redis. */
  symbols: Iterable<string>;
  /** Called when something was corrected, with a description. */
  onCorrection: (correction: { symbol: string; what: string }) => void;
}

/** One run. A symbol that fails does not stop the others; the first failure is thrown at the end. */
export async function keepBooks(options: BookkeepingOptions): Promise<void> {
  const { redis, keys } = options;
  // The owner of an index rebuilds one of the wrong type. Meanwhile the other index and the configuration are enough.
  const known = await Promise.allSettled([
    redis.smembers(keys.orderSymbols),
    redis.smembers(keys.waitingSymbols),
  ]);
  const more = known.flatMap((set) => (set.status === "fulfilled" ? set.value : []));
  const failures: unknown[] = [];
  for (const symbol of new Set([...options.symbols, ...more])) {
    await keepSymbol(options, symbol, redisNow(redis)).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0] as Error;
}

async function keepSymbol(options: BookkeepingOptions, symbol: string, nowMs: number): Promise<void> {
  const { redis, keys, issuer, reserveTtlMs, charges, onCorrection } = options;
  const book = keys.reservations(issuer, symbol);
  const putRight = () => balance(options, symbol, charges);
  const what = await putRight().catch(async (error: unknown) => {
    if (!(error instanceof Error && error.message.startsWith("WRONGTYPE"))) throw error;
    for (const key of await dropMistyped(redis, typesOf(book)))
      onCorrection({ symbol, what: `${key} was of the wrong type` });
    return putRight();
  });
  if (what !== undefined) onCorrection({ symbol, what });

  const oldMs = Math.floor(nowMs) + reserveTtlMs - RESULT_MS;
  const old = await redis.zrangebyscore(book.expiry, "-inf", oldMs, "LIMIT", 0, LOOKED_AT_MAX);
  for (const attempt of old) {
    const planId = await planOf(redis, keys, attempt);
    if (planId === undefined) continue;
    const [released] = await runRelease(redis, {
      keys: {
        plan: keys.plan(planId),
        handed_over: keys.handedOver,
        unsettled: keys.unsettled(symbol),
        ...book,
      },
      args: {
        plan_id: planId,
        attempt,
        charges: charges ? "1" : "0",
        result_ms: String(RESULT_MS),
        fills_ms: String(FILLS_MS),
      },
    });
    if (released === "RELEASED" || released === "CHARGED")
      onCorrection({ symbol, what: `plan ${planId} has ended without a result: ${released.toLowerCase()}` });
  }
}

function typesOf({ open, expiry, totals, executions, charges }: ReturnType<Keys["reservations"]>): Index[] {
  return [
    { key: open, type: "hash" },
    { key: expiry, type: "zset" },
    { key: totals, type: "hash" },
    { key: executions, type: "zset" },
    { key: charges, type: "hash" },
  ];
}

/**
 * The plan named by an attempt's entry. Undefined if the entry is gone, or if the plan has no record (it is not ours):
 * nothing shows whether such a plan has ended, so its reservation expires on its own.
 */
async function planOf(redis: RedisClient, keys: Keys, attempt: string): Promise<string | undefined> {
  if (!/^\d+-\d+$/.test(attempt)) return undefined;
  const [entry] = await redis.xrange(keys.streams.plan, attempt, attempt);
  const at = entry?.[1].indexOf("plan_id") ?? -1;
  return at < 0 ? undefined : entry?.[1][at + 1];
}
