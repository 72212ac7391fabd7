/** Reads the pipeline's streams from the beginning, outside their consumer groups and without acknowledging. */
import type { Where } from "@quantum/contract";
import { disconnect, type RedisClient } from "@quantum/redis";
import type { Place } from "@quantum/service-kit";
import { isLater, parseEntries, type RawEntry } from "@quantum/streams";
import { setTimeout as delay } from "node:timers/promises";
import type { PipelineRedis } from "../pipeline-redis.ts";
import { type History, type StreamName, type StreamRef, streamRef } from "./history.ts";

const BLOCK_MS = 1_000;
const BATCH = 1_000;
const RETRY_MS = 200;
const HELD_LOOK_MS = 20;

/** In the order in which a plan passes through them, so that a batch contains a plan before its result. */
const OF_PARTITION: readonly StreamName[] = ["plan", "permit", "execute", "result"];
const TAILED: readonly StreamName[] = ["proposal", ...OF_PARTITION];

/** Partitions by their numbers, and `intake`: the proposals' stream, which with one partition is in that. */
export type Affected = ReadonlySet<Where> | "all";

export class StreamTail {
  readonly #readers: readonly Reader[];

  constructor({ intake, partitions }: Pick<PipelineRedis, "intake" | "partitions">, history: History) {
    this.#readers =
      partitions.all.length === 1
        ? [new Reader(intake, 0, TAILED, history)]
        : [
            new Reader(intake, "intake", ["proposal"], history),
            ...partitions.map((partition) => new Reader(partition, partition.number, OF_PARTITION, history)),
          ];
  }

  /** Whether every entry now in the streams, or in those of some partitions, has been read. */
  async caughtUp(of: Affected = "all"): Promise<boolean> {
    return (await Promise.all(this.#readersOf(of).map((reader) => reader.caughtUp()))).every(Boolean);
  }

  /** Redis has lost everything after these entries, so new entries may have earlier ids. Ends a {@link hold}. */
  rewind(survived: ReadonlyMap<StreamRef, string>, of: Affected = "all"): void {
    for (const reader of this.#readersOf(of)) reader.rewind(survived);
  }

  /** Takes nothing more from these partitions until they are rewound. */
  hold(of: Affected): void {
    for (const reader of this.#readersOf(of)) reader.hold();
  }

  #readersOf(of: Affected): Reader[] {
    return this.#readers.filter(({ place }) => of === "all" || of.has(place));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.stop()));
  }
}

/** Of the streams of one place. */
class Reader {
  readonly #redis: RedisClient;
  readonly #blocking: RedisClient;
  readonly place: Where;
  readonly #partition: number;
  readonly #history: History;
  /** The key of each stream → the id of the last entry read. */
  readonly #last: Map<string, string>;
  readonly #names: ReadonlyMap<string, StreamName>;
  readonly #stopping = new AbortController();
  #isHeld = false;
  /** Incremented by each rewind. A reply to an earlier read is then ignored and read again. */
  #rewound = 0;
  readonly #running: Promise<void>;

  constructor(
    { keys, redis, connectForBlocking }: Place,
    place: Where,
    names: readonly StreamName[],
    history: History,
  ) {
    this.#redis = redis;
    this.#blocking = connectForBlocking();
    this.place = place;
    this.#partition = place === "intake" ? 0 : place;
    this.#history = history;
    this.#names = new Map(names.map((name) => [keys.streams[name], name]));
    this.#last = new Map([...this.#names.keys()].map((stream) => [stream, "0-0"]));
    this.#running = this.#read();
  }

  async caughtUp(): Promise<boolean> {
    for (const [stream, last] of this.#last) {
      const [newest] = (await this.#redis.xrevrange(stream, "+", "-", "COUNT", 1)) as [string, string[]][];
      if (newest !== undefined && isLater(newest[0], last)) return false;
    }
    return true;
  }

  hold(): void {
    this.#rewound += 1;
    this.#isHeld = true;
  }

  rewind(survived: ReadonlyMap<StreamRef, string>): void {
    this.#rewound += 1;
    this.#isHeld = false;
    for (const [stream, name] of this.#names)
      this.#last.set(stream, survived.get(streamRef(name, this.#partition)) ?? "0-0");
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await disconnect(this.#blocking);
    await this.#running;
  }

  async #read(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      if (this.#isHeld) {
        await delay(HELD_LOOK_MS, undefined, { signal }).catch(() => undefined);
        continue;
      }
      try {
        const ids = [...this.#last.values()];
        const rewound = this.#rewound;
        const reply = await this.#blocking.xread(
          "COUNT",
          BATCH,
          "BLOCK",
          BLOCK_MS,
          "STREAMS",
          ...this.#last.keys(),
          ...ids,
        );
        if (rewound === this.#rewound)
          for (const [stream, entries] of reply ?? []) this.#take(stream, entries);
      } catch {
        // The connection logs the error and reconnects. Reading continues where it was.
        await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #take(stream: string, raw: RawEntry[]): void {
    const name = this.#names.get(stream);
    if (name === undefined) return;
    for (const { id, fields } of parseEntries(raw)) {
      this.#history.take(name, id, fields, this.#partition);
      this.#last.set(stream, id);
    }
  }
}
