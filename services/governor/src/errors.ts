/** Errors in a sliding window. Each replica counts its own, and a restart forgets them. */

/** A symbol that is held is tried again after this: its trouble may be over, and one refusal more costs nothing. */
const HOLD_MS = 30_000;

/** Whom an error concerns: one symbol, or the account, and so all. */
export type Concerned = { symbol: string } | "account";

export class ErrorWindow {
  readonly #windowMs: number;
  readonly #limit: number;
  #account: number[] = [];
  readonly #symbols = new Map<string, number[]>();

  /** @param limit so many errors are too many */
  constructor(windowMs: number, limit: number) {
    this.#windowMs = windowMs;
    this.#limit = limit;
  }

  /** An error that is older than the window, as a history that is read again has them, does not count. */
  add(atMs: number, concerned: Concerned): void {
    if (concerned === "account") this.#account.push(atMs);
    else this.#symbols.set(concerned.symbol, [...(this.#symbols.get(concerned.symbol) ?? []), atMs]);
  }

  /** An order of the symbol was executed: what was wrong with it is over. */
  forgive(symbol: string): void {
    this.#symbols.delete(symbol);
  }

  /** How many there were of the symbol, if they are too many and the last one was just now; else undefined. */
  held(symbol: string, nowMs: number): number | undefined {
    const times = this.#recent(this.#symbols.get(symbol) ?? [], nowMs);
    if (times.length > 0) this.#symbols.set(symbol, times);
    const last = times.at(-1) ?? -Infinity;
    return times.length >= this.#limit && nowMs - last < HOLD_MS ? times.length : undefined;
  }

  /**
   * How many there were in the window that ends now, if they are too many and concern all; else undefined. One symbol's
   * errors count for half of what is too many, at most: alone they hold that symbol.
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

  /** A future one counts as now, once: Redis's clock was ahead, or has stepped back since. */
  #recent(times: readonly number[], nowMs: number): number[] {
    return times.map((time) => Math.min(time, nowMs)).filter((time) => time > nowMs - this.#windowMs);
  }
}
