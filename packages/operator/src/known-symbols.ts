/** The symbols of which anything is known. */
import type { Access } from "./access.ts";
import { askAll } from "./places.ts";
import { symbolsOfAll } from "./symbols-under.ts";

/** P3.3's ledgers stand in no index. A symbol that is new to them has a plan first, and is found by that. */
const SCAN_EVERY_MS = 60_000;

export interface Known {
  symbol: string;
  /** False: it is shown only while one of its plans waits. */
  isKept: boolean;
}

/** Goes through all keys at most once a minute, and after the first time not while somebody waits. */
export class KnownSymbols {
  #scanned: readonly string[] = [];
  #scanning: Promise<void> | undefined;
  /** By performance.now(). */
  #scannedAt = -Infinity;

  /** In the order of their names. */
  async read(access: Access): Promise<Known[]> {
    const isFirst = this.#scannedAt === -Infinity;
    const scan = this.#scanIfDue(access);
    // One that fails is begun again with the next reading.
    scan.catch(() => undefined);
    const { told } = await askAll(access, ({ redis, keys }) =>
      Promise.all([redis.smembers(keys.orderSymbols), redis.smembers(keys.waitingSymbols)]),
    );
    if (isFirst) await scan;
    const kept = new Set([...told.flatMap(({ answer: [ordered] }) => ordered), ...this.#scanned]);
    return [...new Set([...kept, ...told.flatMap(({ answer: [, waiting] }) => waiting)])]
      .toSorted()
      .map((symbol) => ({ symbol, isKept: kept.has(symbol) }));
  }

  #scanIfDue(access: Access): Promise<void> {
    if (performance.now() - this.#scannedAt < SCAN_EVERY_MS) return Promise.resolve();
    this.#scanning ??= this.#scan(access).finally(() => (this.#scanning = undefined));
    return this.#scanning;
  }

  async #scan(access: Access): Promise<void> {
    this.#scanned = await symbolsOfAll(access, ({ ledger, closeWanted }) => [ledger(""), closeWanted("")]);
    this.#scannedAt = performance.now();
  }
}
