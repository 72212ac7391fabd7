/** Runs one refresh per symbol at a time and queues at most one more, which all waiting callers share. */
import type { Execution } from "./pair.ts";

interface Queued<Result> {
  executions: Execution[];
  outcome: Promise<Result>;
}

export class RefreshQueue<Result> {
  readonly #refresh: (symbol: string, executions: readonly Execution[]) => Promise<Result>;
  readonly #running = new Map<string, Promise<unknown>>();
  readonly #queued = new Map<string, Queued<Result>>();

  constructor(refresh: (symbol: string, executions: readonly Execution[]) => Promise<Result>) {
    this.#refresh = refresh;
  }

  /** A refresh that begins after this call and includes `execution`. Rejects if the refresh does. */
  request(symbol: string, execution?: Execution): Promise<Result> {
    const queued = this.#queued.get(symbol) ?? this.#enqueue(symbol);
    if (execution !== undefined) queued.executions.push(execution);
    return queued.outcome;
  }

  /** Running, or about to. */
  isRunning(symbol: string): boolean {
    return this.#running.has(symbol);
  }

  /** The number of executions in the queued refresh. */
  waitingExecutions(symbol: string): number {
    return this.#queued.get(symbol)?.executions.length ?? 0;
  }

  #enqueue(symbol: string): Queued<Result> {
    const executions: Execution[] = [];
    const before = this.#running.get(symbol) ?? Promise.resolve();
    const run = async () => {
      this.#queued.delete(symbol);
      return this.#refresh(symbol, executions);
    };
    const outcome = before.then(run, run);
    this.#running.set(symbol, outcome);
    const finished = () => {
      if (this.#running.get(symbol) === outcome) this.#running.delete(symbol);
    };
    outcome.then(finished, finished);
    const queued = { executions, outcome };
    this.#queued.set(symbol, queued);
    return queued;
  }
}
