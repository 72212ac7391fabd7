/** The entries that a consumer is handling. Those with the same key run one after another, in order of arrival. */
export class InFlight {
  /**
   * Ids of the entries that are being handled or are queued behind one with the same key, and since when; oldest first.
   */
  readonly #since = new Map<string, number>();
  /** The end of each key's chain. */
  readonly #tails = new Map<string, Promise<void>>();
  readonly #stopping: AbortSignal;
  #freed: (() => void) | undefined;

  constructor(stopping: AbortSignal) {
    this.#stopping = stopping;
  }

  get size(): number {
    return this.#since.size;
  }

  get ids(): string[] {
    return [...this.#since.keys()];
  }

  /** `sinceMs` is by performance.now(). */
  get oldest(): { id: string; sinceMs: number } | undefined {
    const [oldest] = this.#since;
    return oldest && { id: oldest[0], sinceMs: oldest[1] };
  }

  has(id: string): boolean {
    return this.#since.has(id);
  }

  /** Runs `handle` after earlier entries with the same key; without a key, at once. `handle` must not reject. */
  run(id: string, key: string | undefined, handle: () => Promise<void>): void {
    const before = key === undefined ? undefined : this.#tails.get(key);
    const handled = before === undefined ? handle() : before.then(handle);
    const settled = handled.finally(() => {
      this.#since.delete(id);
      if (key !== undefined && this.#tails.get(key) === settled) this.#tails.delete(key);
      this.wake();
    });
    this.#since.set(id, performance.now());
    if (key !== undefined) this.#tails.set(key, settled);
  }

  /**
   * Resolves when fewer than `limit` entries are being handled, or when the consumer stops. Only one caller may wait.
   */
  async fewerThan(limit: number): Promise<void> {
    while (this.#since.size >= limit && !this.#stopping.aborted) await this.#nextFreed();
  }

  /** Resolves when no entry is being handled. */
  async none(): Promise<void> {
    while (this.#since.size > 0) await this.#nextFreed();
  }

  /** Makes a waiting caller check again. */
  wake(): void {
    this.#freed?.();
  }

  #nextFreed(): Promise<void> {
    return new Promise((resolve) => (this.#freed = resolve));
  }
}
