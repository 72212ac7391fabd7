/**
 * What is stuck. A service is ready when it makes progress or has no work: each loop and each kind of entry registers
 * here once, and who gets nowhere for longer than its interval is named in /readyz, with what stands in its way. All
 * times are monotonic.
 */

/** What a round may be late: a command's whole deadline, on a busy machine. */
const LATE_MS = 5_000;
/** A piece of work that failed twice in this time is stuck, though others get on. */
const STUCK_MS = 15_000;
/** After this, another replica has reclaimed it. */
const FORGOTTEN_MS = 30_000;
/** Where everything fails, some names are enough. */
const FAILING_MAX = 1_000;

interface Loop {
  doing: string;
  everyMs: number;
  succeededAtMs: number;
  error: Error | undefined;
}

export class Progress {
  readonly #now: () => number;
  readonly #loops: Loop[] = [];
  readonly #attempts: Attempts[] = [];
  #isRunning = false;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * What must succeed every `everyMs`.
   * @param doing as in "failed to sweep the waiting plans"
   * @returns the task, watched
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

  /** What is tried when it is there, piece by piece. */
  attempts(doing: string): Attempts {
    const attempts = new Attempts(doing, this.#now);
    this.#attempts.push(attempts);
    return attempts;
  }

  /** Loops are due from now on. */
  begin(): void {
    this.#isRunning = true;
    for (const loop of this.#loops) loop.succeededAtMs = this.#now();
  }

  /** One sentence for each that stands still. */
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
  /** In the order in which they began to fail. */
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

  /** Whatever became of it, it is not tried again. */
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
