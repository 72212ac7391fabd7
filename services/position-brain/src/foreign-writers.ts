/** Remembers which pairs another program has written to, for /readyz: a second P3.3 may be running. */

/** A foreign writer is forgotten after this much silence. The Python P3.3 writes every few seconds. */
const SHOWN_MS = 60_000;

export class ForeignWriters {
  /** When a pair was last found overwritten, by performance.now(). */
  readonly #foundAtMs = new Map<string, number>();

  found(symbol: string): void {
    this.#foundAtMs.set(symbol, performance.now());
  }

  problems(): string[] {
    const since = performance.now() - SHOWN_MS;
    const symbols = [...this.#foundAtMs].filter(([, atMs]) => atMs > since).map(([symbol]) => symbol);
    if (symbols.length === 0) return [];
    return [`another P3.3 writes the snapshots or ledgers of ${symbols.join(", ")}: stop one of the two`];
  }
}
