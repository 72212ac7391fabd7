/**
 * Whose turn it is. A symbol has to wait while as many of its plans as allowed have no result, and after an execution
 * until its snapshot is another than the one that its last proposal was made from: the fill has changed that position.
 */
export interface PacingOptions {
  symbols: readonly string[];
  inFlightPerSymbol: number;
  /** A plan whose result did not come within this time is no longer waited for. */
  resultTimeoutMs: number;
}

export interface InFlight {
  symbol: string;
  planId: string;
}

export class Pacing {
  readonly #options: PacingOptions;
  /** The symbol that was served goes to the end. */
  #turns: string[];
  /** Plan id → plan, the oldest first. */
  readonly #inFlight = new Map<string, InFlight & { startedAtMs: number }>();
  /** The snapshot of each symbol's latest proposal. */
  readonly #lastVersion = new Map<string, string | undefined>();
  /** Snapshots that an execution has made old. */
  readonly #oldVersion = new Map<string, string | undefined>();

  constructor(options: PacingOptions) {
    this.#options = options;
    this.#turns = [...options.symbols];
  }

  /** Symbols that may have another plan, in turn. */
  withRoom(): string[] {
    return this.#turns.filter((symbol) => this.inFlight(symbol) < this.#options.inFlightPerSymbol);
  }

  /** Whether the snapshot already knows of the last execution. */
  isFresh(symbol: string, version: string | undefined): boolean {
    return version === undefined || this.#oldVersion.get(symbol) !== version;
  }

  started({ symbol, planId }: InFlight, version: string | undefined, nowMs: number): void {
    this.#turns = [...this.#turns.filter((other) => other !== symbol), symbol];
    this.#inFlight.set(planId, { symbol, planId, startedAtMs: nowMs });
    this.#lastVersion.set(symbol, version);
  }

  /** @returns the plan that ended, if it was waited for. */
  ended(planId: string, executed: boolean): InFlight | undefined {
    const plan = this.#inFlight.get(planId);
    if (plan === undefined) return undefined;
    this.#inFlight.delete(planId);
    if (executed) this.#oldVersion.set(plan.symbol, this.#lastVersion.get(plan.symbol));
    return plan;
  }

  /** Gives up the plans whose result is overdue. */
  expire(nowMs: number): InFlight[] {
    const overdue = [...this.#inFlight.values()].filter(
      ({ startedAtMs }) => startedAtMs + this.#options.resultTimeoutMs <= nowMs,
    );
    for (const { planId } of overdue) this.#inFlight.delete(planId);
    return overdue;
  }

  /** When the next result is overdue; undefined if none is waited for. */
  nextExpiryMs(): number | undefined {
    const [oldest] = this.#inFlight.values();
    return oldest && oldest.startedAtMs + this.#options.resultTimeoutMs;
  }

  /** Plans without a result: of a symbol, or of all. */
  inFlight(symbol?: string): number {
    if (symbol === undefined) return this.#inFlight.size;
    return [...this.#inFlight.values()].filter((plan) => plan.symbol === symbol).length;
  }
}
