/** Errors in a sliding window. Each replica counts its own, and a restart forgets them. */
export class ErrorWindow {
  readonly #windowMs: number;
  #times: number[] = [];

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** @returns how many there were in the window that ends now, this one included */
  add(nowMs: number): number {
    this.#times = [...this.#times.filter((time) => time > nowMs - this.#windowMs), nowMs];
    return this.#times.length;
  }

  clear(): void {
    this.#times = [];
  }
}
