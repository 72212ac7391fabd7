/**
 * When the positions are refreshed: once per interval, for any number of replicas. Redis stores whose turn it is
 * (`lua/ledger/refresh_turn.lua`), by its own clock. Pauses use the monotonic clock. So neither a temporarily wrong
 * clock nor a lost key stops the refresh for longer than an interval.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Keys } from "@quantum/contract";
import { bindScript, type RedisClient } from "@quantum/redis";

/** After an error from Redis. */
const RETRY_MS = 1_000;
/** How often each replica refreshes while it cannot ask: the exchange's limits are shared by all of them. */
const ALONE_EVERY_MS = 3_000;
/** P3.3 is not ready after this many intervals, and at least this time, without a refresh. */
const LATE_INTERVALS = 3;
const LATE_AFTER_MS = 5_000;
const MS_PER_SEC = 1000;
/** A replica whose events keep the positions current says so before another one's turn comes, and soon if they no longer do. */
const KEPT_AGAIN_MS = 1_000;

const runTurn = bindScript("ledger/refresh_turn");

export interface ScheduleOptions {
  redis: RedisClient;
  keys: Keys;
  everyMs: number;
  /**
   * Other partitions have pairs, too. If this Redis does not say whose turn it is, each replica refreshes them, so that they do not
   * become stale.
   */
  hasOthers: boolean;
  /** Reports its own failures; the next turn is its retry. */
  refresh: () => Promise<void>;
  /** Whether the exchange's events keep all positions current here, so that no replica needs to refresh them. */
  isKept: () => boolean;
  /** Called if Redis cannot say whose turn it is; the question is repeated. */
  onError: (error: Error) => void;
  /** Called once when no refresh has succeeded for a long time, with the cause; again only after a success. */
  onLate: (problem: string) => void;
}

export class RefreshSchedule {
  readonly #options: ScheduleOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  /** When any replica's refresh last succeeded, as far as known here, by performance.now(). */
  #refreshedAt = performance.now();
  /** When this replica last took a turn without having been given one, by performance.now(). */
  #aloneAt = Number.NEGATIVE_INFINITY;
  #isDone = false;
  #wasKept = false;
  #waitsFor = "it has not begun";
  #isLate = false;

  constructor(options: ScheduleOptions) {
    this.#options = options;
  }

  /** Resolves after one refresh by this replica, even if it is not its turn, so that snapshots exist from the start. */
  async start(): Promise<void> {
    await this.#ask();
    await this.#refresh();
    this.#running = this.#run();
  }

  /** Lets a running refresh finish. */
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

  /** @returns how long to wait before asking again; 0 if it is this replica's turn */
  async #ask(): Promise<number> {
    const { redis, keys, everyMs, hasOthers, isKept: keeps, onError } = this.#options;
    const isKept = keeps();
    try {
      const [status, ago, leftMs] = await runTurn(redis, {
        keys: { turn: keys.refreshTurn },
        args: {
          every_ms: String(everyMs),
          done: this.#isDone ? "1" : "",
          kept: isKept ? "1" : this.#wasKept ? "0" : "",
        },
      });
      this.#isDone = false;
      this.#wasKept = isKept;
      if (ago !== "") this.#refreshedAt = Math.max(this.#refreshedAt, performance.now() - Number(ago));
      if (status === "TURN") return 0;
      if (isKept) return Math.min(everyMs / 2, KEPT_AGAIN_MS);
      return Number(leftMs);
    } catch (error) {
      this.#waitsFor = `Redis does not say whose turn it is: ${(error as Error).message}`;
      onError(error as Error);
      return hasOthers && !isKept && this.#isDueAlone() ? 0 : RETRY_MS;
    }
  }

  #isDueAlone(): boolean {
    const everyMs = Math.max(this.#options.everyMs, ALONE_EVERY_MS);
    const now = performance.now();
    if (now - Math.max(this.#refreshedAt, this.#aloneAt) < everyMs) return false;
    this.#aloneAt = now;
    return true;
  }

  async #refresh(): Promise<void> {
    this.#waitsFor = "the exchange has not answered yet";
    try {
      await this.#options.refresh();
      this.#isDone = true;
      this.#refreshedAt = performance.now();
      this.#waitsFor = "another replica's refreshes fail";
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
