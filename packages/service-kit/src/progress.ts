/**
 * Detects what is stuck. A service is ready if it makes progress or has no work. Each loop and each kind of entry
 * registers here once. /readyz names those that make no progress for longer than their interval, with the cause. All
 * times are monotonic.
 */
import { ofPartition } from "./partition-sentences.ts";

/** How late a round may be: one full command deadline, on a busy machine. */
const LATE_MS = 5_000;
/** A piece of work that has failed at least twice over this time is stuck, even if others succeed. */
const STUCK_MS = 15_000;
/** By then, another replica has reclaimed it. */
const FORGOTTEN_MS = 30_000;
/** If everything fails, some names are enough. */
const FAILING_MAX = 1_000;

interface Loop {
  doing: string;
  everyMs: number;
  succeededAtMs: number;
  error: Error | undefined;
}

/** Where loops and attempts register. */
export type Watched = Pick<Progress, "loop" | "attempts">;

export class Progress {
  readonly #now: () => number;
  readonly #loops: Loop[] = [];
  readonly #attempts: Attempts[] = [];
  #isRunning = false;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Watches a task that must succeed every `everyMs`.
   * @param doing as in "failed to sweep the waiting plans"
   * @returns the watched task
   */
  loop<Args extends unknown[], T>(
    doing: string,
    everyMs: number,
    task: (...args: Args) => Promise<T>,
  ): (...args: Args) => Promise<T> {
    const loop: Loop = { doing, everyMs, succeededAtMs: this.#now(), error: undefined };
    this.#loops.push(loop);
    return async (...args) => {
      try {
        const result = await task(...args);
        loop.succeededAtMs = this.#now();
        loop.error = undefined;
        return result;
      } catch (error) {
        loop.error = error as Error;
        throw error;
      }
    };
  }

  /** Watches pieces of work that arrive one by one, such as entries. */
  attempts(doing: string): Attempts {
    const attempts = new Attempts(doing, this.#now);
    this.#attempts.push(attempts);
    return attempts;
  }

  /** For the work of one partition, which problems then name; a name that is empty changes nothing. */
  of(partition: string): Watched {
    if (partition === "") return this;
    const named = (doing: string) => `${doing}${ofPartition(partition)}`;
    return {
      loop: (doing, everyMs, task) => this.loop(named(doing), everyMs, task),
      attempts: (doing) => this.attempts(named(doing)),
    };
  }

  /** Starts the intervals of all loops now. */
  begin(): void {
    this.#isRunning = true;
    for (const loop of this.#loops) loop.succeededAtMs = this.#now();
  }

  /** One sentence for each loop or attempt that makes no progress. */
  problems(): string[] {
    const late = this.#loops.flatMap(({ doing, everyMs, succeededAtMs, error }) => {
      const silentMs = this.#now() - succeededAtMs;
      if (!this.#isRunning || silentMs <= everyMs + LATE_MS) return [];
      return error === undefined
        ? [`no attempt to ${doing} has finished for ${seconds(silentMs)} s`]
        : [`every attempt to ${doing} has failed for ${seconds(silentMs)} s: ${error.message}`];
    });
    return [...late, ...this.#attempts.flatMap((attempts) => attempts.problems())];
  }
}

interface Failing {
  sinceMs: number;
  lastMs: number;
  times: number;
  reason: string;
}

export class Attempts {
  readonly #doing: string;
  readonly #now: () => number;
  /** In the order of their first failure. */
  readonly #failing = new Map<string, Failing>();
  #succeededAtMs = Number.NEGATIVE_INFINITY;

  constructor(doing: string, now: () => number) {
    this.#doing = doing;
    this.#now = now;
  }

  failed(piece: string, reason: string): void {
    const nowMs = this.#now();
    const before = this.#failing.get(piece);
    if (before === undefined && this.#failing.size >= FAILING_MAX) return;
    this.#failing.set(piece, {
      sinceMs: before?.sinceMs ?? nowMs,
      lastMs: nowMs,
      times: (before?.times ?? 0) + 1,
      reason,
    });
  }

  /** Whatever the result, this piece is not tried again. */
  ended(piece: string): void {
    this.#succeededAtMs = this.#now();
    this.#failing.delete(piece);
  }

  problems(): string[] {
    const nowMs = this.#now();
    for (const [piece, { lastMs }] of this.#failing)
      if (nowMs - lastMs > FORGOTTEN_MS) this.#failing.delete(piece);
    for (const [piece, { sinceMs, times, reason }] of this.#failing) {
      const failingMs = nowMs - sinceMs;
      const nothingMoves = this.#succeededAtMs < sinceMs && failingMs > LATE_MS;
      const isStuck = times > 1 && failingMs > STUCK_MS;
      if (nothingMoves || isStuck)
        return [
          `every attempt to ${this.#doing} (${piece}) has failed for ${seconds(failingMs)} s: ${reason}`,
        ];
    }
    return [];
  }
}

function seconds(ms: number): number {
  return Math.round(ms / 1000);
}
