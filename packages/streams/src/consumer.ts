/**
 * A consumer of one stream: reads entries, dispatches them in order per key, acknowledges, reclaims, dead-letters.
 *
 * - The group is created at 0, so entries published before the first start are not lost. A lost group is created again.
 * - The consumer's name survives a restart: it first handles the entries that were delivered to it before it stopped.
 * - An entry that a dead replica left pending is reclaimed after `reclaimIdleMs`. So is one whose handler asked for a
 *   retry; after `maxDeliveries` it goes to the dead-letter stream.
 * - A step that fails because Redis does not answer is repeated at once, for up to `reclaimIdleMs`. The handler sees it
 *   as another delivery.
 * - Handlers must be safe to repeat for the same entry: a frozen replica may resume and still be handling it.
 */
import { EventEmitter } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { dispositionOf, isUnanswered, type RedisClient } from "@quantum/redis";
import { backOff } from "./back-off.ts";
import { type ConsumerOptions, type ResolvedOptions, withDefaults } from "./consumer-options.ts";
import { Disposal } from "./disposal.ts";
import type { Disposition } from "./disposition.ts";
import { type Entry, laterDeliveryOf, parseEntries, type RawEntry } from "./entry.ts";
import { asError, type ConsumerEvents } from "./events.ts";
import { GroupReader } from "./group-reader.ts";
import { InFlight } from "./in-flight.ts";
import { bringBackGroup } from "./moved-group.ts";
import { bringBackDeliveries, claimIdle, countDeliveries, keepClaimed, takeBack } from "./pending.ts";
import { Returning } from "./returning.ts";
import { Unbegun } from "./unbegun.ts";

export class StreamConsumer extends EventEmitter<ConsumerEvents> {
  /** For commands, on the server that has the stream. */
  readonly redis: RedisClient;
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  /** The stream of its dead letters, on the same server. */
  readonly deadLetters: string;
  readonly #options: ResolvedOptions;
  readonly #reader: GroupReader;
  readonly #disposal: Disposal;
  readonly #unbegun: Unbegun;
  #running: Promise<void> | undefined;
  #reclaiming: Promise<void> | undefined;
  #reclaimCursor = "0-0";
  #broughtBackTo = "-";
  readonly #stopping = new AbortController();
  readonly #inFlight = new InFlight(this.#stopping.signal);
  readonly #returning = new Returning((entry) => this.#dispatchIfRoom(entry));
  readonly #onShut = () => this.#reader.interrupt();
  #stopped: Promise<void> | undefined;
  /** When a read was last answered, by performance.now(); initially, when the group was created or found. */
  lastProgressMs = 0;
  #reclaimedAt = performance.now();
  groupReady = false;
  /** Why the group cannot be created or read, while it cannot. */
  problem: Error | undefined;
  /** When the group was last found missing, by performance.now(). */
  groupLostAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ConsumerOptions) {
    super();
    this.#options = withDefaults(options);
    this.redis = options.redis;
    this.stream = options.stream;
    this.group = options.group;
    this.consumer = options.consumer;
    this.deadLetters = options.keys.streams.deadLetter;
    this.#reader = new GroupReader(this.#options);
    this.#disposal = new Disposal(this.#options);
    this.#unbegun = new Unbegun(this.#options);
    this.#options.gate.on("shut", this.#onShut);
  }

  /** Starts reading. Resolves once the group exists. Throws if Redis refuses for good to create it. */
  async start(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#reader.open();
    let refusal: unknown;
    await this.#untilStopped("create the group", async () => {
      try {
        await this.#createGroup();
      } catch (error) {
        if (dispositionOf(error).kind !== "refused") throw error;
        refusal = error;
      }
    });
    if (refusal !== undefined) throw refusal;
    if (this.#stopping.signal.aborted) return;
    this.#reclaimedAt = performance.now();
    this.#running = this.#read();
    this.#reclaiming = this.#reclaimRegularly();
    this.emit("started");
  }

  /** Stops reading and lets running handlers finish. Their entries stay pending; unstarted ones are given back. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    this.#options.gate.off("shut", this.#onShut);
    await this.#reader.close();
    this.#inFlight.wake();
    await this.#running;
    await this.#reclaiming;
    await this.#inFlight.none();
    if (!this.#options.acknowledge) return;
    await this.#unbegun.giveBack().catch((error: unknown) => this.#failed("give back the rest", error));
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
    this.lastProgressMs = performance.now();
  }

  /** How long this consumer has been waiting for things that normally take milliseconds, in ms. */
  get silence(): { readMs: number; reclaimMs: number; oldest: { id: string; ms: number } | undefined } {
    const nowMs = performance.now();
    const { oldest } = this.#inFlight;
    return {
      readMs: Math.min(nowMs - this.lastProgressMs, this.#options.gate.openForMs),
      reclaimMs: this.#reclaiming === undefined ? 0 : nowMs - this.#reclaimedAt,
      oldest: oldest && { id: oldest.id, ms: nowMs - oldest.sinceMs },
    };
  }

  async #read(): Promise<void> {
    const { gate, acknowledge } = this.#options;
    // First the entries delivered to this consumer before it stopped, then new ones.
    const beginning = acknowledge ? "0" : ">";
    let cursor = beginning;
    while (!this.#stopping.signal.aborted) {
      await this.#untilStopped("read", async () => {
        await this.#reader.pass(gate, this.#stopping.signal);
        await this.#inFlight.fewerThan(this.#options.concurrency);
        if (!gate.isOpen) return;
        let raw: RawEntry[] | undefined;
        try {
          raw = await this.#reader.read(cursor, this.#options.concurrency - this.#inFlight.size);
        } finally {
          // Entries in a lost answer are already pending for this consumer. Reading from 0 gets them sooner than a
          // reclaim would.
          if (raw === undefined) cursor = beginning;
        }
        if (raw === undefined) return;
        this.lastProgressMs = performance.now();
        const entries = cursor === ">" ? parseEntries(raw) : await this.#givenBefore(raw);
        for (const entry of entries) {
          // Reclaimed entries may have used up the capacity in the meantime.
          await this.#inFlight.fewerThan(this.#options.concurrency);
          this.#dispatch(entry);
        }
        if (cursor !== ">") cursor = raw.at(-1)?.[0] ?? ">";
      });
    }
  }

  async #givenBefore(raw: readonly RawEntry[]): Promise<Entry[]> {
    const { entries, deletedIds } = await takeBack(this.#options, raw);
    if (deletedIds.length > 0) this.emit("deleted", { ids: deletedIds });
    return entries;
  }

  #dispatch(entry: Entry): void {
    if (this.#inFlight.has(entry.id)) return;
    this.#returning.drop(entry.id);
    this.#unbegun.came(entry.id);
    this.#inFlight.run(entry.id, this.#options.orderBy?.(entry), () => this.#handle(entry));
  }

  /** Never rejects: on any failure the entry stays pending and is delivered again. */
  async #handle(entry: Entry): Promise<void> {
    if (this.#stopping.signal.aborted) return this.#unbegun.add(entry.id);
    const startedAt = performance.now();
    let disposition: Disposition;
    try {
      disposition = await this.#repeatUnanswered(`handle ${entry.id}`, (again) =>
        this.#options.handle(again ? laterDeliveryOf(entry) : entry),
      );
    } catch (error) {
      this.#failed(`handle ${entry.id}`, error);
      disposition = { kind: "retry", reason: asError(error).message };
    }
    try {
      const dead = await this.#repeatUnanswered(`dispose of ${entry.id}`, () =>
        this.#disposal.of(entry, disposition),
      );
      if (dead !== undefined) this.emit("deadLettered", { entry, reason: dead });
      else if (disposition.kind === "retry")
        void disposition.again?.then(() => this.#returning.add(laterDeliveryOf(entry)));
    } catch (error) {
      this.#failed(`dispose of ${entry.id}`, error);
    }
    this.emit("handled", { entry, disposition, tookMs: performance.now() - startedAt });
    this.#returning.freed();
  }

  /** There may be none: a read may have used up the capacity. */
  #dispatchIfRoom(entry: Entry): boolean {
    const hasRoom = this.#inFlight.size < this.#options.concurrency && !this.#stopping.signal.aborted;
    if (hasRoom) this.#dispatch(entry);
    return hasRoom;
  }

  /** If Redis or this service stalls past a command's deadline, the entry should not also wait for a reclaim. */
  async #repeatUnanswered<T>(doing: string, step: (again: boolean) => Promise<T>): Promise<T> {
    const { signal } = this.#stopping;
    const startedAt = performance.now();
    for (let attempt = 1; ; attempt++) {
      try {
        return await step(attempt > 1);
      } catch (error) {
        // From here on a reclaim delivers it, perhaps to another replica.
        const isOver = signal.aborted || performance.now() - startedAt > this.#options.reclaimIdleMs;
        if (isOver || !isUnanswered(error)) throw error;
        this.#failed(doing, error);
        await backOff(attempt, signal);
      }
    }
  }

  async #reclaimRegularly(): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      await delay(this.#options.reclaimIdleMs / 2, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await this.#reclaim().then(
        () => (this.#reclaimedAt = performance.now()),
        (error: unknown) => this.#failed("reclaim", error),
      );
    }
  }

  /** Takes over entries that have been pending too long: a dead replica's, and our own that asked for a retry. */
  async #reclaim(): Promise<void> {
    const { redis, stream, group, reclaimIdleMs, concurrency, acknowledge, gate } = this.#options;
    if (await bringBackGroup(redis, stream, group)) this.#lost();
    if (!acknowledge) return;
    // Entries in progress here do not count as idle, so no replica reclaims them.
    await keepClaimed(this.#options, this.#inFlight.ids);
    this.#broughtBackTo = await bringBackDeliveries(this.#options, this.#broughtBackTo);
    const count = gate.isOpen ? concurrency - this.#inFlight.size : 0;
    if (count <= 0) return;
    const cursor = this.#reclaimCursor;
    const claimed = await claimIdle(this.#options, { idleMs: reclaimIdleMs, count, cursor });
    this.#reclaimCursor = claimed.cursor;
    if (claimed.deletedIds.length > 0) this.emit("deleted", { ids: claimed.deletedIds });
    const idle = claimed.entries.filter((entry) => !this.#inFlight.has(entry.id));
    if (idle.length === 0) return;
    this.emit("reclaimed", { count: idle.length });
    for (const entry of await countDeliveries(this.#options, idle)) this.#dispatchIfRoom(entry);
  }

  /** Repeats a step, with growing pauses, until it succeeds or the consumer stops. Creates a missing group. */
  async #untilStopped(doing: string, step: () => Promise<void>): Promise<void> {
    for (let attempt = 1; !this.#stopping.signal.aborted; attempt++) {
      try {
        await step();
        this.problem = undefined;
        return;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.problem = asError(error);
        this.#failed(doing, error);
        if (error instanceof Error && error.message.includes("NOGROUP")) {
          this.groupReady = false;
          this.#lost();
          await this.#createGroup().catch((reason: unknown) => this.#failed("create the group", reason));
        }
        await backOff(attempt, this.#stopping.signal);
      }
    }
  }

  #lost(): void {
    this.groupLostAtMs = performance.now();
    // Redis does not wake a blocked read. Without acknowledgement, an interrupted read would lose what it is given.
    if (this.#options.acknowledge) this.#reader.interrupt();
    this.emit("groupLost");
  }

  #failed(doing: string, error: unknown): void {
    this.emit("failed", { doing: `${doing} (${this.#options.stream})`, error: asError(error) });
  }
}
