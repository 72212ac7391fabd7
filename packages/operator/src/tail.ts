/** What is appended to streams, as it comes, on a connection of its own. */
import { setTimeout as delay } from "node:timers/promises";
import { DeadlineError, disconnect, type RedisClient, withDeadline } from "@quantum/redis";
import { type Entry, isLater, parseEntries, type RawEntry } from "@quantum/streams";
import type { Keys } from "@quantum/contract";
import type { Partition } from "@quantum/service-kit";
import type { Access } from "./access.ts";
import type { Place } from "./place.ts";
import { merged } from "./merged.ts";

const BLOCK_MS = 5_000;
/** If a blocking read takes this much longer than its BLOCK, the connection is dead. */
const BLOCK_GRACE_MS = 2_000;
/** Of each stream in one read. */
const READ_MAX = 1_000;

export interface TailOptions {
  /**
   * Stream → the id after which it is read: streams of any partitions. Kept up to date, so that another tail can go on from
   * there.
   */
  after: Map<string, string>;
  /** Between two reads, so that a busy stream is read in batches. */
  gatherMs?: number;
  stop: AbortSignal;
}

/** The ids after which there is nothing yet. Not `$`: what comes between two reads would be lost. */
export async function endsOf(
  { redis }: Place,
  streams: readonly string[],
): Promise<[stream: string, id: string][]> {
  const newest = await Promise.all(streams.map((stream) => newestId(redis, stream)));
  return streams.map((stream, at) => [stream, newest[at] ?? "0-0"]);
}

/** The streams that a partition's tail reads. */
type Followed = (keys: Keys) => readonly string[];

export interface Tailed {
  partition: Partition;
  stream: string;
  entries: Entry[];
}

/**
 * Batches of one stream, oldest first, until `stop` is aborted. Throws what Redis answers to a read that it refuses. Partitions
 * are read beside one another: one that does not answer keeps back its own entries alone.
 */
export async function* tail(
  { partitions }: Access,
  streams: Followed,
  { after, gatherMs = 0, stop }: TailOptions,
): AsyncGenerator<Tailed> {
  const ended = new AbortController();
  const options = { gatherMs, stop: AbortSignal.any([stop, ended.signal]) };
  const tails = partitions.map((partition) => {
    const own = streams(partition.keys).map((stream): [string, string] => [
      stream,
      after.get(stream) ?? "0-0",
    ]);
    // Of its own: what it has read and nobody has taken yet is read again by the next tail.
    return tailOne(partition, {
      ...options,
      after: new Map(own),
      onBegunAgain: (stream, id) => void after.set(stream, id),
    });
  });
  try {
    for await (const tailed of merged(tails)) {
      after.set(tailed.stream, tailed.entries.at(-1)?.id ?? "0-0");
      yield tailed;
    }
  } finally {
    // Those that still read, if one failed or nobody wants more.
    ended.abort();
  }
}

async function* tailOne(
  partition: Partition,
  { after, gatherMs = 0, stop, onBegunAgain }: TailOptions & Pick<NewBeginnings, "onBegunAgain">,
): AsyncGenerator<Tailed> {
  const { redis, connectForBlocking } = partition;
  let reader = connectForBlocking();
  const close = () => void disconnect(reader);
  stop.addEventListener("abort", close, { once: true });
  try {
    while (!stop.aborted) {
      const reply = await read(reader, after);
      if (reply === "dead") {
        close();
        reader = connectForBlocking();
        continue;
      }
      if (reply === null) await lookForNewBeginnings(redis, { after, onBegunAgain });
      let isFull = false;
      for (const [stream, raw] of reply ?? []) {
        const entries = parseEntries(raw);
        after.set(stream, entries.at(-1)?.id ?? "0-0");
        isFull ||= entries.length === READ_MAX;
        yield { partition, stream, entries };
      }
      if (gatherMs > 0 && !isFull) await delay(gatherMs, undefined, { signal: stop }).catch(() => undefined);
    }
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    stop.removeEventListener("abort", close);
    close();
  }
}

type Reply = [stream: string, entries: RawEntry[]][] | null;

async function read(reader: RedisClient, after: ReadonlyMap<string, string>): Promise<Reply | "dead"> {
  const reading = reader.xread(
    "COUNT",
    READ_MAX,
    "BLOCK",
    BLOCK_MS,
    "STREAMS",
    ...after.keys(),
    ...after.values(),
  );
  try {
    return await withDeadline(reading, BLOCK_MS + BLOCK_GRACE_MS, "XREAD");
  } catch (error) {
    if (error instanceof DeadlineError) return "dead";
    throw error;
  }
}

interface NewBeginnings {
  after: Map<string, string>;
  onBegunAgain: (stream: string, id: string) => void;
}

/** A stream that was deleted, or that Redis lost, may begin again with earlier ids. */
async function lookForNewBeginnings(
  redis: RedisClient,
  { after, onBegunAgain }: NewBeginnings,
): Promise<void> {
  for (const [stream, id] of after) {
    const newest = (await newestId(redis, stream)) ?? "0-0";
    if (!isLater(id, newest)) continue;
    after.set(stream, newest);
    onBegunAgain(stream, newest);
  }
}

async function newestId(redis: RedisClient, stream: string): Promise<string | undefined> {
  const [newest] = await redis.xrevrange(stream, "+", "-", "COUNT", 1);
  return newest?.[0];
}
