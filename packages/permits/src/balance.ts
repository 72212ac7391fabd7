/** Rebuilds sums from their parts; the typed wrapper of `lua/permits/balance.lua`. */
import type { Keys } from "@quantum/contract";
import { bindScript, type RedisClient } from "@quantum/redis";

const run = bindScript("permits/balance");

export interface Book {
  redis: RedisClient;
  keys: Keys;
  issuer: string;
  reserveTtlMs: number;
}

/**
 * @param counts whether the issuer's limits count executions
 * @returns what did not match, as text; undefined if everything matched
 */
export async function balance(
  { redis, keys, issuer, reserveTtlMs }: Book,
  symbol: string,
  counts: boolean,
): Promise<string | undefined> {
  const [status, what = ""] = await run(redis, {
    keys: keys.reservations(issuer, symbol),
    args: { reserve_ms: String(reserveTtlMs), counts: counts ? "1" : "0" },
  });
  return status === "CORRECTED" ? what : undefined;
}
