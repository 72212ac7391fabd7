/**
 * The entries that one consumer of a group has received and not acknowledged. Sources:
 * https://redis.io/docs/latest/commands/ xautoclaim, xclaim, xpending (7.0).
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
  /** Deleted from the stream while pending. Redis has already removed them from the group. */
  deletedIds: string[];
  /** Where the next claim continues; `0-0` at the end. */
  cursor: string;
}

/** Of an answer with entries that were delivered before: those that still exist. The others are acknowledged. */
export async function takeBack(
  member: Member,
  raw: readonly RawEntry[],
): Promise<Pick<Claimed, "entries" | "deletedIds">> {
  const { redis, stream, group } = member;
  const deletedIds = raw.filter(([, flat]) => flat === null).map(([id]) => id);
  if (deletedIds.length > 0) await redis.xack(stream, group, ...deletedIds);
  const entries = parseEntries(raw.filter(([, flat]) => flat !== null));
  return { entries: await countDeliveries(member, entries), deletedIds };
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

/** Pending entries read at once. */
export const LOOKED_AT = 1_000;

/**
 * Entries delivered while Redis's clock was ahead would not become idle until the clock catches up. Redis shows their
 * idle time as 0, like that of entries just delivered. This claims them for the consumers that have them, so their
 * delivery time is now.
 * @param after where the last page ended; `-` at first
 * @returns where this page ended; `-` after the last one
 */
export async function bringBackDeliveries({ redis, stream, group }: Member, after: string): Promise<string> {
  const start = after === "-" ? after : `(${after}`;
  const page = (await redis.xpending(stream, group, start, "+", LOOKED_AT)) as [
    string,
    string,
    number,
    number,
  ][];
  const ids = new Map<string, string[]>();
  for (const [id, owner, idleMs] of page) if (idleMs === 0) ids.set(owner, [...(ids.get(owner) ?? []), id]);
  for (const [owner, owned] of ids) await redis.xclaim(stream, group, owner, 0, ...owned, "JUSTID");
  return page.length < LOOKED_AT ? "-" : (page.at(-1)?.[0] ?? "-");
}

/** Resets the idle time of entries in progress, without counting a delivery. */
export async function keepClaimed(
  { redis, stream, group, consumer }: Member,
  ids: readonly string[],
): Promise<void> {
  if (ids.length > 0) await redis.xclaim(stream, group, consumer, 0, ...ids, "JUSTID");
}

/** Looks up how often each entry has been delivered, because replies to reads and claims do not say. */
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
