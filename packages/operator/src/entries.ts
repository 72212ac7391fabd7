/** Streams as lists, read in batches; they are kept to about 10000 entries. */
import { type Entry, parseEntries } from "@quantum/streams";
import type { RedisClient } from "@quantum/redis";

const BATCH = 1_000;

export async function* oldestFirst(redis: RedisClient, stream: string): AsyncGenerator<Entry> {
  for (let from = "-"; ;) {
    const batch = parseEntries(await redis.xrange(stream, from, "+", "COUNT", BATCH));
    yield* batch;
    const last = batch.at(-1);
    if (last === undefined || batch.length < BATCH) return;
    from = `(${last.id}`;
  }
}

export async function* newestFirst(redis: RedisClient, stream: string): AsyncGenerator<Entry> {
  for (let from = "+"; ;) {
    const batch = parseEntries(await redis.xrevrange(stream, from, "-", "COUNT", BATCH));
    yield* batch;
    const last = batch.at(-1);
    if (last === undefined || batch.length < BATCH) return;
    from = `(${last.id}`;
  }
}

export async function first<T>(
  found: AsyncIterable<T>,
  matches: (item: T) => boolean,
): Promise<T | undefined> {
  for await (const item of found) if (matches(item)) return item;
  return undefined;
}
