/** Counts errors in a sliding window. Each replica has its own count, and a restart resets it. */

/** How long a symbol is held after its last error. Its problem may be over, and one more refusal costs nothing. */
const HOLD_MS = 30_000;

/** What an error affects: one symbol, or the account and so all symbols. */
export type Concerned = { symbol: string } | "account";

export class ErrorWindow {
  readonly #windowMs: number;
  readonly #limit: number;
  #account: number[] = [];
  readonly #symbols = new Map<string, number[]>();

  /** @param limit this many errors are too many */
  constructor(windowMs: number, limit: number) {
    this.#windowMs = windowMs;
    this.#limit = limit;
  }

  /** Errors older than the window, from entries that are read again, do not count. */
  add(atMs: number, concerned: Concerned): void {
    if (concerned === "account") this.#account.push(atMs);
    else this.#symbols.set(concerned.symbol, [...(this.#symbols.get(concerned.symbol) ?? []), atMs]);
  }

  /** An order of the symbol was executed, so its problem is over. */
  forgive(symbol: string): void {
    this.#symbols.delete(symbol);
  }

  /** The symbol's error count, if it reached the limit and the last error was recent; else undefined. */
  held(symbol: string, nowMs: number): number | undefined {
    const times = this.#recent(this.#symbols.get(symbol) ?? [], nowMs);
    if (times.length > 0) this.#symbols.set(symbol, times);
    const last = times.at(-1) ?? -Infinity;
    return times.length >= this.#limit && nowMs - last < HOLD_MS ? times.length : undefined;
  }

  /**
   * The error count in the window, if it reached the limit and affects all symbols; else undefined. One symbol counts
   * for at most half of the limit: alone it is only held.
   */
  concerningAll(nowMs: number): number | undefined {
    this.#account = this.#recent(this.#account, nowMs);
    let sum = this.#account.length;
    for (const [symbol, times] of this.#symbols) {
      const recent = this.#recent(times, nowMs);
      if (recent.length === 0) this.#symbols.delete(symbol);
      else this.#symbols.set(symbol, recent);
      sum += Math.min(recent.length, Math.ceil(this.#limit / 2));
    }
    const concernsAll = this.#account.length > 0 || this.#symbols.size > 1;
    return concernsAll && sum >= this.#limit ? sum : undefined;
  }

  clear(): void {
    this.#account = [];
    this.#symbols.clear();
  }

  /** A time in the future counts as now. Redis's clock was ahead, or has stepped back since. */
  #recent(times: readonly number[], nowMs: number): number[] {
    return times.map((time) => Math.min(time, nowMs)).filter((time) => time > nowMs - this.#windowMs);
  }
}
