/** The symbols of which anything is known. */
import type { Access } from "./access.ts";
import { symbolsOfAll } from "./names-under.ts";

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
  async read(access: Pick<Access, "partitions">): Promise<Known[]> {
    const isFirst = this.#scannedAt === -Infinity;
    const scan = this.#scanIfDue(access);
    // One that fails is begun again with the next reading.
    scan.catch(() => undefined);
    const indexes = await Promise.all(
      access.partitions.map(({ redis, keys }) =>
        Promise.all([redis.smembers(keys.orderSymbols), redis.smembers(keys.waitingSymbols)]),
      ),
    );
    if (isFirst) await scan;
    const kept = new Set([...indexes.flatMap(([ordered]) => ordered), ...this.#scanned]);
    return [...new Set([...kept, ...indexes.flatMap(([, waiting]) => waiting)])]
      .toSorted()
      .map((symbol) => ({ symbol, isKept: kept.has(symbol) }));
  }

  #scanIfDue(access: Pick<Access, "partitions">): Promise<void> {
    if (performance.now() - this.#scannedAt < SCAN_EVERY_MS) return Promise.resolve();
    this.#scanning ??= this.#scan(access).finally(() => (this.#scanning = undefined));
    return this.#scanning;
  }

  async #scan(access: Pick<Access, "partitions">): Promise<void> {
    this.#scanned = await symbolsOfAll(access, ({ ledger, closeWanted }) => [ledger(""), closeWanted("")]);
    this.#scannedAt = performance.now();
  }
}
