/** Executions in an issuer's books, as `lua/permits/settle_reservation.lua` writes them. */
import type { Keys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";

/** The same set contains open reservations, by attempt alone. */
const EXECUTED = /^(result|attempt):/;

/** Whether this issuer has charged an execution of the symbol since then, in ms by Redis's clock. */
export async function executedSince(
  { redis, keys, issuer }: { redis: RedisClient; keys: Keys; issuer: string },
  symbol: string,
  sinceMs: number,
): Promise<boolean> {
  const { executions } = keys.reservations(issuer, symbol);
  // Times in the future count too, because Redis's clock was ahead.
  const members = await redis.zrangebyscore(executions, sinceMs, "+inf");
  return members.some((member) => EXECUTED.test(member));
}
