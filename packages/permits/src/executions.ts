/** What an issuer's books say of executions: `lua/permits/settle_reservation.lua` writes them. */
import type { Keys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";

/** Open reservations stand among them, by their attempt alone. */
const EXECUTED = /^(result|attempt):/;

/** Whether an order of the symbol was executed since then (ms, by Redis's clock), as far as this issuer has charged it. */
export async function executedSince(
  { redis, keys, issuer }: { redis: RedisClient; keys: Keys; issuer: string },
  symbol: string,
  sinceMs: number,
): Promise<boolean> {
  const { executions } = keys.reservations(issuer, symbol);
  // What lies in the future counts, too: Redis's clock was ahead.
  const members = await redis.zrangebyscore(executions, sinceMs, "+inf");
  return members.some((member) => EXECUTED.test(member));
}
