/** The entries that a consumer is handling; those of one key one after another, in the order in which they came. */
export class InFlight {
  /** Ids of the entries that are being handled, or wait for one of their key, and since when: the oldest first. */
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

  /** `sinceMs` by performance.now(). */
  get oldest(): { id: string; sinceMs: number } | undefined {
    const [oldest] = this.#since;
    return oldest && { id: oldest[0], sinceMs: oldest[1] };
  }

  has(id: string): boolean {
    return this.#since.has(id);
  }

  /** Without a key at once. `handle` never rejects. */
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

  /** Resolves when another entry may be handled, or when the consumer stops and wakes it. One caller may wait. */
  async fewerThan(limit: number): Promise<void> {
    while (this.#since.size >= limit && !this.#stopping.aborted) await this.#nextFreed();
  }

  /** Resolves when every entry has been handled. */
  async none(): Promise<void> {
    while (this.#since.size > 0) await this.#nextFreed();
  }

  /** Has a caller that waits look again. */
  wake(): void {
    this.#freed?.();
  }

  #nextFreed(): Promise<void> {
    return new Promise((resolve) => (this.#freed = resolve));
  }
}
