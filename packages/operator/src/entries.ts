/** Streams as lists, read in batches; they are kept to about 10000 entries. */
import { type Entry, parseEntries } from "@quantum/streams";
import type { RedisClient } from "@quantum/redis";

/** What is looked for is often among the first entries. */
const FIRST_BATCH = 50;
const BATCH_GROWTH = 4;
const BATCH = 1_000;

/** An id that Redis takes: what stands in a field may be anything. */
export const ENTRY_ID = /^\d{1,15}-\d{1,15}$/;

/** @param range ids as XRANGE takes them, `(` excludes */
export async function* oldestFirst(
  redis: RedisClient,
  stream: string,
  { from = "-", to = "+" }: { from?: string; to?: string } = {},
): AsyncGenerator<Entry> {
  for (let next = from; ;) {
    const batch = parseEntries(await redis.xrange(stream, next, to, "COUNT", BATCH));
    yield* batch;
    const last = batch.at(-1);
    if (last === undefined || batch.length < BATCH) return;
    next = `(${last.id}`;
  }
}

export async function* newestFirst(redis: RedisClient, stream: string): AsyncGenerator<Entry> {
  for await (const batch of batchesNewestFirst(redis, stream)) yield* batch;
}

/**
 * @param range ids as XREVRANGE takes them, `(` excludes @param most entries of a batch
 */
export async function* batchesNewestFirst(
  redis: RedisClient,
  stream: string,
  { from = "+", to = "-" }: { from?: string; to?: string } = {},
  most = BATCH,
): AsyncGenerator<Entry[]> {
  let count = Math.min(FIRST_BATCH, most);
  for (let next = from; ;) {
    const batch = parseEntries(await redis.xrevrange(stream, next, to, "COUNT", count));
    if (batch.length > 0) yield batch;
    const last = batch.at(-1);
    if (last === undefined || batch.length < count) return;
    next = `(${last.id}`;
    count = Math.min(count * BATCH_GROWTH, most);
  }
}

export async function first<T>(
  found: AsyncIterable<T>,
  matches: (item: T) => boolean,
): Promise<T | undefined> {
  for await (const item of found) if (matches(item)) return item;
  return undefined;
}
