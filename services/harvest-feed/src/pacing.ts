/**
 * Decides which symbol may have the next plan. A symbol waits while its allowed number of plans has no result. After an
 * execution it also waits for a new snapshot, because the fill has changed the position that its last proposal used.
 */
export interface PacingOptions {
  symbols: readonly string[];
  inFlightPerSymbol: number;
  /** A plan is no longer waited for if its result does not arrive within this time. */
  resultTimeoutMs: number;
}

export interface InFlight {
  symbol: string;
  planId: string;
}

export class Pacing {
  readonly #options: PacingOptions;
  /** A symbol goes to the end after its turn. */
  #turns: string[];
  /** Plan id → plan, oldest first. */
  readonly #inFlight = new Map<string, InFlight & { startedAtMs: number }>();
  /** The snapshot used by each symbol's latest proposal. */
  readonly #lastVersion = new Map<string, string | undefined>();
  /** Snapshots that an execution has made outdated. */
  readonly #oldVersion = new Map<string, string | undefined>();

  constructor(options: PacingOptions) {
    this.#options = options;
    this.#turns = [...options.symbols];
  }

  /** Symbols that may have another plan, in turn. */
  withRoom(): string[] {
    return this.#turns.filter((symbol) => this.inFlight(symbol) < this.#options.inFlightPerSymbol);
  }

  /** Whether the snapshot includes the last execution. */
  isFresh(symbol: string, version: string | undefined): boolean {
    return version === undefined || this.#oldVersion.get(symbol) !== version;
  }

  started({ symbol, planId }: InFlight, version: string | undefined, nowMs: number): void {
    this.#turns = [...this.#turns.filter((other) => other !== symbol), symbol];
    this.#inFlight.set(planId, { symbol, planId, startedAtMs: nowMs });
    this.#lastVersion.set(symbol, version);
  }

  /** @returns the plan that ended, if it was waited for */
  ended(planId: string, executed: boolean): InFlight | undefined {
    const plan = this.#inFlight.get(planId);
    if (plan === undefined) return undefined;
    this.#inFlight.delete(planId);
    if (executed) this.#oldVersion.set(plan.symbol, this.#lastVersion.get(plan.symbol));
    return plan;
  }

  /** Stops waiting for overdue plans. */
  expire(nowMs: number): InFlight[] {
    const overdue = [...this.#inFlight.values()].filter(
      ({ startedAtMs }) => startedAtMs + this.#options.resultTimeoutMs <= nowMs,
    );
    for (const { planId } of overdue) this.#inFlight.delete(planId);
    return overdue;
  }

  /** When the next result is overdue; undefined if no plan is in flight. */
  nextExpiryMs(): number | undefined {
    const [oldest] = this.#inFlight.values();
    return oldest && oldest.startedAtMs + this.#options.resultTimeoutMs;
  }

  /** The number of plans without a result, of one symbol or of all. */
  inFlight(symbol?: string): number {
    if (symbol === undefined) return this.#inFlight.size;
    return [...this.#inFlight.values()].filter((plan) => plan.symbol === symbol).length;
  }
}
