/** A stream on its own Redis, with consumers that stop when their test ends. */
import type { EventEmitter } from "node:events";
import { createKeys } from "@quantum/contract";
import { connectForBlocking, connectForCommands, disconnect } from "@quantum/redis";
import { type RedisServerOptions, startRedisServer } from "@quantum/harness";
import { onTestFinished, vi } from "vitest";
import type { ConsumerOptions } from "./consumer-options.ts";
import type { StreamConsumer } from "./consumer.ts";
import type { ConsumerEvents } from "./events.ts";
import { ACK, type Disposition } from "./disposition.ts";
import { type Entry, fieldsOf, parseEntries, type RawEntry } from "./entry.ts";

export const keys = createKeys();
export const STREAM = keys.streams.plan;
export const GROUP = "governor";
/** Short, so that tests see reclaims; long enough that an entry being handled does not look idle. */
export const RECLAIM_IDLE_MS = 200;
const WAIT_MS = 20_000;

export type MakeConsumer = (options: ConsumerOptions) => StreamConsumer;
export type Rig = Awaited<ReturnType<typeof startRig>>;

export async function startRig(options: RedisServerOptions = {}) {
  const server = await startRedisServer(options);
  const to = (name: string) => ({ url: server.url, name, onError: () => undefined });
  const redis = connectForCommands(to("test"));

  return {
    server,
    redis,
    stop: async () => {
      await disconnect(redis);
      await server.stop();
    },

    /** Returned unstarted; stopped when the test ends. */
    consumer(make: MakeConsumer, options: Partial<ConsumerOptions> & Pick<ConsumerOptions, "handle">) {
      const commands = connectForCommands(to("commands"));
      const consumer = make({
        redis: commands,
        connectForBlocking: () => connectForBlocking(to("blocking")),
        keys,
        stream: STREAM,
        group: GROUP,
        consumer: "governor@a:8044",
        reclaimIdleMs: RECLAIM_IDLE_MS,
        ...options,
      });
      onTestFinished(async () => {
        await consumer.stop();
        await disconnect(commands);
      });
      return consumer;
    },

    /** Adds `count` entries with fields `n` (from 0) and `symbol`. @returns their ids */
    async add(count: number, symbol = (n: number) => `S${n % 3}`): Promise<string[]> {
      const pipeline = redis.pipeline();
      for (let n = 0; n < count; n++) pipeline.xadd(STREAM, "*", "n", n, "symbol", symbol(n));
      return ((await pipeline.exec()) ?? []).map(([, id]) => String(id));
    },

    /** Simulates a killed consumer: delivers entries to it and does not acknowledge them. */
    async givenPending(consumer: string, count: number): Promise<string[]> {
      const reply = (await redis.xreadgroup(
        "GROUP",
        GROUP,
        consumer,
        "COUNT",
        count,
        "STREAMS",
        STREAM,
        ">",
      )) as [string, RawEntry[]][] | null;
      return parseEntries(reply?.[0]?.[1] ?? []).map(({ id }) => id);
    },

    async pendingCount(): Promise<number> {
      const [count] = (await redis.xpending(STREAM, GROUP)) as [number];
      return count;
    },

    async deadLetters(): Promise<Record<string, string>[]> {
      const raw = await redis.xrange(keys.streams.deadLetter, "-", "+");
      return raw.map(([, flat]) => fieldsOf(flat));
    },
  };
}

/** A handler that records its entries. */
export function recorder(decide: (entry: Entry) => Disposition | Promise<Disposition> = () => ACK) {
  const entries: Entry[] = [];
  return {
    entries,
    ids: () => entries.map(({ id }) => id),
    handle: async (entry: Entry): Promise<Disposition> => {
      entries.push(entry);
      return await decide(entry);
    },
  };
}

/** Records every event with one name. */
export function recordEvents<Name extends keyof ConsumerEvents>(consumer: StreamConsumer, name: Name) {
  const events: ConsumerEvents[Name][] = [];
  (consumer as EventEmitter).on(name, (...args: ConsumerEvents[Name]) => events.push(args));
  return events;
}

/** Waits until the condition's expectations hold. */
export async function until(condition: () => void | Promise<void>): Promise<void> {
  await vi.waitFor(condition, { timeout: WAIT_MS, interval: 5 });
}

/** Something that a handler waits for until the test opens it. */
export function gate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { passed: promise, open: () => resolve() };
}
