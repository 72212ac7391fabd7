/** Lag, pending and trimming of a stream. Source: https://redis.io/docs/latest/commands/xtrim/. */
import type { RedisClient } from "@quantum/redis";
import { isLater } from "./stream-id.ts";
import { groupsOf } from "./stream-info.ts";

export interface GroupHealth {
  group: string;
  /**
   * Entries not yet delivered: at most so many, since neither a replica nor an append-only file is told how much a group has read
   * (https://github.com/redis/redis/pull/12898). 0 is exact. NaN where Redis cannot tell (after XDEL or trimming in the middle).
   */
  lag: number;
  /** The last entry that was delivered to the group. */
  lastDeliveredId: string;
  pending: number;
  /** Idle time of the oldest pending entry, in ms. */
  oldestIdleMs: number;
}

/** Takes Redis a few milliseconds. A stream left untrimmed for a long time may have millions to trim. */
const TRIMMED_AT_ONCE = 10_000;

/** The state of one group, for metrics; read when scraped. */
export async function groupHealth(redis: RedisClient, stream: string, group: string): Promise<GroupHealth> {
  const found = (await groupsOf(redis, stream)).find(({ name }) => name === group);
  const oldest = (await redis.xpending(stream, group, "-", "+", 1)) as [string, string, number, number][];
  const lastDeliveredId = found?.lastDeliveredId ?? "0-0";
  const lag = found?.lag ?? Number.NaN;
  const isRead = lag > 0 && (await redis.xrange(stream, `(${lastDeliveredId}`, "+", "COUNT", 1)).length === 0;
  return {
    group,
    lag: isRead ? 0 : lag,
    lastDeliveredId,
    pending: found?.pending ?? 0,
    oldestIdleMs: oldest[0]?.[2] ?? 0,
  };
}

/**
 * Trims a stream to about `keep` entries, but never an entry that some group has yet to receive or acknowledge: a
 * trimmed entry would be a lost plan. Replicas may trim at the same time.
 * @returns how many entries were removed
 */
export async function trim(redis: RedisClient, stream: string, keep: number): Promise<number> {
  const excess = (await redis.xlen(stream)) - keep;
  if (excess <= 0) return 0;
  let oldestNeeded: string | undefined;
  for (const { name, lastDeliveredId: delivered } of await groupsOf(redis, stream)) {
    const [, oldestPending] = (await redis.xpending(stream, name)) as [number, string | null];
    const needed = earlier(delivered, oldestPending ?? delivered);
    oldestNeeded = earlier(oldestNeeded ?? needed, needed);
  }
  // There is no group, or it was lost. Once it is created at 0, it needs every entry.
  if (oldestNeeded === undefined) return 0;
  let trimmed = 0;
  for (;;) {
    const most = Math.min(excess - trimmed, TRIMMED_AT_ONCE);
    const gone = most <= 0 ? 0 : await redis.xtrim(stream, "MINID", "~", oldestNeeded, "LIMIT", most);
    if (gone === 0) return trimmed;
    trimmed += gone;
  }
}

function earlier(a: string, b: string): string {
  return isLater(a, b) ? b : a;
}
