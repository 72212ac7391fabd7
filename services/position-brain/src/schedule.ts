/**
 * When the positions are refreshed: once an interval, however many replicas there are. Whose turn it is stands in Redis
 * (`lua/ledger/refresh_turn.lua`) and is judged by Redis's clock; pauses are measured by the monotonic one. So neither a
 * clock that is wrong for a while nor a lost key keeps the refresh from going on within an interval.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Keys } from "@quantum/contract";
import { bindScript, type RedisClient } from "@quantum/redis";

/** After an error of Redis. */
const RETRY_MS = 1_000;
/** Without a refresh for so many intervals, and this time at least, P3.3 stands still. */
const LATE_INTERVALS = 3;
const LATE_AFTER_MS = 5_000;
const MS_PER_SEC = 1000;

const runTurn = bindScript("ledger/refresh_turn");

export interface ScheduleOptions {
  redis: RedisClient;
  keys: Keys;
  everyMs: number;
  /** Reports its own failures; the next turn is its retry. */
  refresh: () => Promise<void>;
  /** Whose turn it is cannot be told; it is asked again. */
  onError: (error: Error) => void;
  /** No refresh has succeeded for long, and why; once, until one does. */
  onLate: (problem: string) => void;
}

export class RefreshSchedule {
  readonly #options: ScheduleOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  /** When a refresh last succeeded, of any replica as far as is known here, by performance.now(). */
  #refreshedAt = performance.now();
  #isDone = false;
  #waitsFor = "it has not begun";
  #isLate = false;

  constructor(options: ScheduleOptions) {
    this.#options = options;
  }

  /** Resolves after a first refresh of its own, whoever's turn it is: then there are snapshots, if there can be. */
  async start(): Promise<void> {
    await this.#ask();
    await this.#refresh();
    this.#running = this.#run();
  }

  /** After a refresh under way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Why P3.3 is not ready: one sentence, or none. */
  problems(): string[] {
    const silentMs = performance.now() - this.#refreshedAt;
    if (silentMs <= Math.max(LATE_INTERVALS * this.#options.everyMs, LATE_AFTER_MS)) return [];
    const silentSec = Math.round(silentMs / MS_PER_SEC);
    return [`no refresh of the positions has succeeded for ${silentSec} s: ${this.#waitsFor}`];
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const pauseMs = await this.#ask();
      if (pauseMs === 0) await this.#refresh();
      this.#sayIfLate();
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** @returns how long to wait before asking again; 0: it is this replica's turn */
  async #ask(): Promise<number> {
    const { redis, keys, everyMs, onError } = this.#options;
    try {
      const [status, ago, leftMs] = await runTurn(redis, {
        keys: { turn: keys.refreshTurn },
        args: { every_ms: String(everyMs), done: this.#isDone ? "1" : "" },
      });
      this.#isDone = false;
      if (ago !== "") this.#refreshedAt = Math.max(this.#refreshedAt, performance.now() - Number(ago));
      if (status === "TURN") return 0;
      return Number(leftMs);
    } catch (error) {
      this.#waitsFor = `Redis does not say whose turn it is: ${(error as Error).message}`;
      onError(error as Error);
      return RETRY_MS;
    }
  }

  async #refresh(): Promise<void> {
    this.#waitsFor = "the exchange has not answered yet";
    try {
      await this.#options.refresh();
      this.#isDone = true;
      this.#refreshedAt = performance.now();
      this.#waitsFor = "another replica's turns do not succeed";
    } catch (error) {
      this.#waitsFor = `the last one failed: ${(error as Error).message}`;
    }
  }

  #sayIfLate(): void {
    const [problem] = this.problems();
    if (problem !== undefined && !this.#isLate) this.#options.onLate(problem);
    this.#isLate = problem !== undefined;
  }
}
