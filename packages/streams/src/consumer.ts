/**
 * A consumer of one stream: reads, dispatches in order per key, acknowledges, reclaims, dead-letters.
 *
 * - The group is created at 0, so nothing published before the first start is lost, and made again if it is lost.
 * - The consumer's name is stable over restarts: it first finishes what it had been given before it stopped.
 * - An entry that a dead replica left pending is reclaimed after `reclaimIdleMs`. So is one whose handler asked for a
 *   retry; after `maxDeliveries` it goes to the dead-letter stream.
 * - Handlers must be safe to repeat for the same entry: a replica that was only frozen may still be at it.
 */
import { EventEmitter } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Keys } from "@quantum/contract";
import { disconnect, type RedisClient, withDeadline } from "@quantum/redis";
import { moveToDeadLetter } from "./dead-letter.ts";
import { type Entry, parseEntries, type RawEntry } from "./entry.ts";

/** How a handler leaves an entry. */
export type Disposition =
  /** The handler's own script acknowledged it. */
  | { kind: "done" }
  /** Nothing more to do: acknowledge. */
  | { kind: "ack" }
  /** Leave it pending; it comes again after `reclaimIdleMs`. */
  | { kind: "retry"; reason: string }
  /** It can never be handled. */
  | { kind: "dead"; reason: string };

export const DONE: Disposition = { kind: "done" };
export const ACK: Disposition = { kind: "ack" };

export interface ConsumerOptions {
  /** For commands; the consumer makes its own connection for blocking reads. */
  redis: RedisClient;
  connectForBlocking: () => RedisClient;
  keys: Keys;
  stream: string;
  group: string;
  /** Unique for each replica, the same after a restart. */
  consumer: string;
  handle: (entry: Entry) => Promise<Disposition>;
  /** Entries of one key are handled one after another; without it all run at the same time. */
  orderBy?: (entry: Entry) => string;
  /** Entries handled at the same time, and at most this many are read ahead. */
  concurrency?: number;
  /**
   * False for hints: delivered counts as acknowledged, so nothing is ever pending, reclaimed or dead-lettered, and what
   * was under way when the process died is gone.
   */
  acknowledge?: boolean;
  /** Idle time after which a pending entry is taken over, in ms. */
  reclaimIdleMs?: number;
  /** Deliveries after which an entry that asks for a retry is given up. */
  maxDeliveries?: number;
}

export interface ConsumerEvents {
  started: [];
  /** The group exists (it was made now: `created`). */
  group: [{ created: boolean }];
  handled: [{ entry: Entry; disposition: Disposition; tookMs: number }];
  reclaimed: [{ count: number }];
  deadLettered: [{ entry: Entry; reason: string }];
  /** Something failed and is tried again. */
  failed: [{ doing: string; error: Error }];
}

const CONCURRENCY = 256;
const RECLAIM_IDLE_MS = 10_000;
const MAX_DELIVERIES = 5;
/** Long enough that an idle consumer costs nothing, short enough that a stop is not noticed. */
const BLOCK_MS = 5_000;
/** A blocking read that answers later than this after its BLOCK is on a dead connection. */
const BLOCK_GRACE_MS = 2_000;
const BACKOFF_MS = 200;
const BACKOFF_MAX_MS = 2_000;

export class StreamConsumer extends EventEmitter<ConsumerEvents> {
  readonly #options: Required<Omit<ConsumerOptions, "orderBy">> & Pick<ConsumerOptions, "orderBy">;
  readonly #inFlight = new Map<string, Promise<void>>();
  readonly #tails = new Map<string, Promise<void>>();
  #blocking: RedisClient | undefined;
  #running: Promise<void> | undefined;
  #reclaimTimer: NodeJS.Timeout | undefined;
  #reclaiming: Promise<void> = Promise.resolve();
  #stopping = new AbortController();
  #capacityFreed: (() => void) | undefined;
  /** Time of the last answer to a read, in ms since the epoch. */
  lastProgressMs = 0;
  groupReady = false;

  constructor(options: ConsumerOptions) {
    super();
    this.#options = {
      concurrency: CONCURRENCY,
      reclaimIdleMs: RECLAIM_IDLE_MS,
      maxDeliveries: MAX_DELIVERIES,
      acknowledge: true,
      ...options,
    };
  }

  get stream(): string {
    return this.#options.stream;
  }

  get group(): string {
    return this.#options.group;
  }

  /** Starts reading; resolves once the group exists. */
  async start(): Promise<void> {
    this.#blocking = this.#options.connectForBlocking();
    await this.#untilStopped("create the group", () => this.#createGroup());
    this.#running = this.#read();
    if (this.#options.acknowledge) {
      this.#reclaimTimer = setInterval(() => {
        this.#reclaiming = this.#reclaim().catch((error: unknown) => this.#failed("reclaim", error));
      }, this.#options.reclaimIdleMs / 2);
    }
    this.emit("started");
  }

  /** Reads no more and lets running handlers finish; what they leave stays pending. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#reclaimTimer);
    if (this.#blocking !== undefined) await disconnect(this.#blocking);
    this.#capacityFreed?.();
    await this.#running;
    await this.#reclaiming;
    await Promise.all(this.#inFlight.values());
  }

  async #createGroup(): Promise<void> {
    const { redis, stream, group } = this.#options;
    try {
      await redis.xgroup("CREATE", stream, group, "0", "MKSTREAM");
      this.emit("group", { created: true });
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("BUSYGROUP"))) throw error;
      this.emit("group", { created: false });
    }
    this.groupReady = true;
  }

  async #read(): Promise<void> {
    // First what this consumer had been given before it stopped, then what is new.
    let cursor = this.#options.acknowledge ? "0" : ">";
    while (!this.#stopping.signal.aborted) {
      await this.#untilStopped("read", async () => {
        const room = this.#options.concurrency - this.#inFlight.size;
        if (room <= 0) {
          await new Promise<void>((resolve) => (this.#capacityFreed = resolve));
          return;
        }
        const entries = await this.#readGroup(cursor, room);
        this.lastProgressMs = Date.now();
        for (const entry of entries) this.#dispatch(entry);
        if (cursor !== ">") cursor = entries.at(-1)?.id ?? ">";
      });
    }
  }

  async #readGroup(cursor: string, count: number): Promise<Entry[]> {
    const { stream, group, consumer, acknowledge } = this.#options;
    if (this.#blocking === undefined) return [];
    const who = ["GROUP", group, consumer] as const;
    const how = ["COUNT", count, "BLOCK", BLOCK_MS] as const;
    const what = ["STREAMS", stream, cursor] as const;
    const read = (
      acknowledge
        ? this.#blocking.xreadgroup(...who, ...how, ...what)
        : this.#blocking.xreadgroup(...who, ...how, "NOACK", ...what)
    ) as Promise<[string, RawEntry[]][] | null>;
    try {
      const reply = await withDeadline(read, BLOCK_MS + BLOCK_GRACE_MS, `XREADGROUP ${stream}`);
      return parseEntries(reply?.[0]?.[1] ?? []);
    } catch (error) {
      // The answer may be lost with its connection: a fresh one, and the entries come again as pending.
      if (error instanceof Error && error.name === "DeadlineError") this.#blocking.disconnect(true);
      throw error;
    }
  }

  #dispatch(entry: Entry): void {
    if (this.#inFlight.has(entry.id)) return;
    const key = this.#options.orderBy?.(entry);
    const before = key === undefined ? undefined : this.#tails.get(key);
    const handled = before === undefined ? this.#handle(entry) : before.then(() => this.#handle(entry));
    const settled = handled.finally(() => {
      this.#inFlight.delete(entry.id);
      if (key !== undefined && this.#tails.get(key) === settled) this.#tails.delete(key);
      this.#capacityFreed?.();
    });
    this.#inFlight.set(entry.id, settled);
    if (key !== undefined) this.#tails.set(key, settled);
  }

  /** Never rejects: whatever happens, the entry stays pending and comes again. */
  async #handle(entry: Entry): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const startedAt = performance.now();
    let disposition: Disposition;
    try {
      disposition = await this.#options.handle(entry);
    } catch (error) {
      this.#failed(`handle ${entry.id}`, error);
      disposition = { kind: "retry", reason: (error as Error).message };
    }
    try {
      await this.#dispose(entry, disposition);
    } catch (error) {
      this.#failed(`dispose of ${entry.id}`, error);
    }
    this.emit("handled", { entry, disposition, tookMs: performance.now() - startedAt });
  }

  async #dispose(entry: Entry, disposition: Disposition): Promise<void> {
    const { redis, keys, stream, group, maxDeliveries, acknowledge } = this.#options;
    if (!acknowledge) return;
    const dead = async (reason: string) => {
      await moveToDeadLetter(redis, keys, { stream, group, entry, reason });
      this.emit("deadLettered", { entry, reason });
    };
    switch (disposition.kind) {
      case "done":
        return;
      case "ack":
        await redis.xack(stream, group, entry.id);
        return;
      case "dead":
        await dead(disposition.reason);
        return;
      case "retry":
        if (entry.deliveries >= maxDeliveries)
          await dead(`given up after ${entry.deliveries} deliveries: ${disposition.reason}`);
    }
  }

  /** Takes over what has been pending too long: a dead replica's entries, and our own that asked for a retry. */
  async #reclaim(): Promise<void> {
    const { redis, stream, group, consumer, reclaimIdleMs, concurrency } = this.#options;
    const room = concurrency - this.#inFlight.size;
    if (room <= 0) return;
    const [, raw] = (await redis.xautoclaim(
      stream,
      group,
      consumer,
      reclaimIdleMs,
      "0-0",
      "COUNT",
      room,
    )) as [string, RawEntry[], string[]];
    const claimed = parseEntries(raw).filter((entry) => !this.#inFlight.has(entry.id));
    if (claimed.length === 0) return;
    const pending = (await redis.xpending(
      stream,
      group,
      claimed[0]?.id ?? "-",
      claimed.at(-1)?.id ?? "+",
      claimed.length,
      consumer,
    )) as [string, string, number, number][];
    const deliveries = new Map(pending.map(([id, , , count]) => [id, count]));
    this.emit("reclaimed", { count: claimed.length });
    for (const entry of claimed) this.#dispatch({ ...entry, deliveries: deliveries.get(entry.id) ?? 1 });
  }

  /** Runs a step until it works or the consumer stops, with growing pauses; makes the group again if it is gone. */
  async #untilStopped(doing: string, step: () => Promise<void>): Promise<void> {
    for (let attempt = 1; !this.#stopping.signal.aborted; attempt++) {
      try {
        await step();
        return;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#failed(doing, error);
        if (error instanceof Error && error.message.includes("NOGROUP")) {
          this.groupReady = false;
          await this.#createGroup().catch((reason: unknown) => this.#failed("create the group", reason));
        }
        const pause = Math.min(BACKOFF_MS * attempt, BACKOFF_MAX_MS);
        await delay(pause, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      }
    }
  }

  #failed(doing: string, error: unknown): void {
    this.emit("failed", { doing: `${doing} (${this.#options.stream})`, error: error as Error });
  }
}
