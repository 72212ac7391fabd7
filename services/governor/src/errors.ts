/** Errors in a sliding window. Each replica counts its own, and a restart forgets them. */
export class ErrorWindow {
  readonly #windowMs: number;
  #times: number[] = [];

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** An error that is older than the window, as a history that is read again has them, does not count. */
  add(atMs: number): void {
    this.#times.push(atMs);
  }

  /** How many there were in the window that ends now. */
  count(nowMs: number): number {
    this.#times = this.#times.filter((time) => time > nowMs - this.#windowMs);
    return this.#times.length;
  }

  clear(): void {
    this.#times = [];
  }
}
