/** Reads the pipeline's streams from the beginning, outside their consumer groups and without acknowledging. */
import type { Keys } from "@quantum/contract";
import { disconnect, type RedisClient } from "@quantum/redis";
import { isLater, parseEntries, type RawEntry } from "@quantum/streams";
import { setTimeout as delay } from "node:timers/promises";
import type { History, StreamName } from "./history.ts";

const BLOCK_MS = 1_000;
const BATCH = 1_000;
const RETRY_MS = 200;

/** In the order in which a plan passes through them, so that a batch contains a plan before its result. */
const TAILED: readonly StreamName[] = ["proposal", "plan", "permit", "execute", "result"];

export class StreamTail {
  readonly #blocking: RedisClient;
  readonly #history: History;
  /** The key of each stream → the id of the last entry read. */
  readonly #last: Map<string, string>;
  readonly #names: ReadonlyMap<string, StreamName>;
  readonly #stopping = new AbortController();
  /** Incremented by each rewind. A reply to an earlier read is then ignored and read again. */
  #rewound = 0;
  readonly #running: Promise<void>;

  /** `blocking` is used by this tail alone; stop() closes it. */
  constructor(blocking: RedisClient, keys: Keys, history: History) {
    this.#blocking = blocking;
    this.#history = history;
    this.#names = new Map(TAILED.map((name) => [keys.streams[name], name]));
    this.#last = new Map(TAILED.map((name) => [keys.streams[name], "0-0"]));
    this.#running = this.#read();
  }

  /** Whether every entry now in the streams has been read. */
  async caughtUp(redis: RedisClient): Promise<boolean> {
    for (const [stream, last] of this.#last) {
      const [newest] = (await redis.xrevrange(stream, "+", "-", "COUNT", 1)) as [string, string[]][];
      if (newest !== undefined && isLater(newest[0], last)) return false;
    }
    return true;
  }

  /** Redis has lost everything after these entries, so new entries may have earlier ids. */
  rewind(survived: ReadonlyMap<StreamName, string>): void {
    this.#rewound += 1;
    for (const [stream, name] of this.#names) this.#last.set(stream, survived.get(name) ?? "0-0");
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await disconnect(this.#blocking);
    await this.#running;
  }

  async #read(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
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
      this.#history.take(name, id, fields);
      this.#last.set(stream, id);
    }
  }
}
