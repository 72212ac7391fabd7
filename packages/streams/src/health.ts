/** Lag, pending and trimming of a stream. Sources: https://redis.io/docs/latest/commands/xinfo-groups/, xtrim. */
import type { RedisClient } from "@quantum/redis";
import { fieldsOf } from "./entry.ts";

export interface GroupHealth {
  group: string;
  /** Entries not yet delivered; NaN where Redis cannot tell (after XDEL or trimming in the middle). */
  lag: number;
  /** The last entry that was delivered. */
  lastDeliveredId: string;
  pending: number;
  /** Idle time of the oldest pending entry, in ms. */
  oldestIdleMs: number;
}

/** A few milliseconds of Redis; a stream that was left alone for long has millions to trim. */
const TRIMMED_AT_ONCE = 10_000;

/** The state of one group, for metrics; read when scraped. */
export async function groupHealth(redis: RedisClient, stream: string, group: string): Promise<GroupHealth> {
  const groups = await readGroups(redis, stream);
  const found = groups.find((candidate) => candidate["name"] === group);
  const oldest = (await redis.xpending(stream, group, "-", "+", 1)) as [string, string, number, number][];
  return {
    group,
    lag: found?.["lag"] === undefined || found["lag"] === "" ? Number.NaN : Number(found["lag"]),
    lastDeliveredId: found?.["last-delivered-id"] ?? "0-0",
    pending: Number(found?.["pending"] ?? 0),
    oldestIdleMs: oldest[0]?.[2] ?? 0,
  };
}

/**
 * Trims a stream to about `keep` entries, but never what some group has not been delivered or has not acknowledged:
 * a trimmed entry would be a lost plan. Replicas may trim at the same time. @returns how many entries went
 */
export async function trim(redis: RedisClient, stream: string, keep: number): Promise<number> {
  const excess = (await redis.xlen(stream)) - keep;
  if (excess <= 0) return 0;
  let oldestNeeded: string | undefined;
  for (const group of await readGroups(redis, stream)) {
    const delivered = group["last-delivered-id"] ?? "0-0";
    const [, oldestPending] = (await redis.xpending(stream, group["name"] ?? "")) as [number, string | null];
    const needed = earlier(delivered, oldestPending ?? delivered);
    oldestNeeded = earlier(oldestNeeded ?? needed, needed);
  }
  // No group yet, or it was lost: whoever creates it at 0 needs everything.
  if (oldestNeeded === undefined) return 0;
  let trimmed = 0;
  for (;;) {
    const most = Math.min(excess - trimmed, TRIMMED_AT_ONCE);
    const gone = most <= 0 ? 0 : await redis.xtrim(stream, "MINID", "~", oldestNeeded, "LIMIT", most);
    if (gone === 0) return trimmed;
    trimmed += gone;
  }
}

export async function readGroups(redis: RedisClient, stream: string): Promise<Record<string, string>[]> {
  const groups = (await redis.xinfo("GROUPS", stream)) as (string | number | null)[][];
  return groups.map((flat) => fieldsOf(flat.map((value) => String(value ?? ""))));
}

export function earlier(a: string, b: string): string {
  const [aMs = 0n, aSeq = 0n] = a.split("-").map(BigInt);
  const [bMs = 0n, bSeq = 0n] = b.split("-").map(BigInt);
  return aMs < bMs || (aMs === bMs && aSeq <= bSeq) ? a : b;
}
