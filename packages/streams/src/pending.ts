/**
 * What one consumer of a group has been given and not acknowledged. Sources: https://redis.io/docs/latest/commands/
 * xautoclaim, xclaim, xpending (7.0).
 */
import type { RedisClient } from "@quantum/redis";
import { type Entry, parseEntries, type RawEntry } from "./entry.ts";

export interface Member {
  redis: RedisClient;
  stream: string;
  group: string;
  consumer: string;
}

export interface Claimed {
  entries: Entry[];
  /** Deleted from the stream while pending; Redis has dropped them from the group. */
  deletedIds: string[];
  /** Where the next claim goes on; `0-0` when all has been seen. */
  cursor: string;
}

/** Takes over at most `count` entries that have been pending for `idleMs` or longer. */
export async function claimIdle(
  { redis, stream, group, consumer }: Member,
  { idleMs, count, cursor }: { idleMs: number; count: number; cursor: string },
): Promise<Claimed> {
  const [next, raw, deletedIds] = (await redis.xautoclaim(
    stream,
    group,
    consumer,
    idleMs,
    cursor,
    "COUNT",
    count,
  )) as [string, RawEntry[], string[]];
  return { entries: parseEntries(raw), deletedIds, cursor: next };
}

/** Resets the idle time of entries under way, without counting a delivery. */
export async function keepClaimed(
  { redis, stream, group, consumer }: Member,
  ids: readonly string[],
): Promise<void> {
  if (ids.length > 0) await redis.xclaim(stream, group, consumer, 0, ...ids, "JUSTID");
}

/** Reads how often each has been delivered; the replies of reads and claims do not tell. */
export async function countDeliveries(member: Member, entries: readonly Entry[]): Promise<Entry[]> {
  const { redis, stream, group } = member;
  return await Promise.all(
    entries.map(async (entry) => {
      const [found] = (await redis.xpending(stream, group, entry.id, entry.id, 1)) as [
        string,
        string,
        number,
        number,
      ][];
      return { ...entry, deliveries: found?.[3] ?? 1 };
    }),
  );
}
