/** Reads from Redis what a decision needs. */
import type { Keys } from "@quantum/contract";
import { executedSince } from "@quantum/permits";
import { type RedisClient, redisNow } from "@quantum/redis";
import {
  type Portfolio,
  portfolioOf,
  PROPOSAL_FIELDS,
  SNAPSHOT_FIELDS,
  type SymbolHashes,
  type Unknown,
} from "./portfolio.ts";

export interface ReaderOptions {
  redis: RedisClient;
  keys: Keys;
  issuer: string;
  /** Of the portfolio. */
  symbols: readonly string[];
  sigmaRef: number;
  cooldownSec: number;
}

const MS_PER_SEC = 1_000;

export class PortfolioReader {
  readonly #options: ReaderOptions;
  #reading: Promise<Portfolio | Unknown> | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** Concurrent calls share one read, so many plans at once cost one read. */
  portfolio(): Promise<Portfolio | Unknown> {
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  /** Whether an order of the symbol was executed within the cooldown, or why this is unknown. */
  async isCooling(symbol: string): Promise<boolean | Unknown> {
    const { redis, cooldownSec } = this.#options;
    if (cooldownSec === 0) return false;
    const since = redisNow(redis) - cooldownSec * MS_PER_SEC;
    return executedSince(this.#options, symbol, since).catch(({ message }: Error) => {
      return { flaw: "executions_unreadable", symbol, what: message };
    });
  }

  /** One round trip for any number of symbols. */
  async #read(): Promise<Portfolio | Unknown> {
    const { redis, keys, symbols, sigmaRef } = this.#options;
    const pipeline = redis.pipeline();
    for (const symbol of symbols) {
      pipeline.hmget(keys.snapshot(symbol), ...SNAPSHOT_FIELDS);
      pipeline.hmget(keys.proposal(symbol), ...PROPOSAL_FIELDS);
    }
    // Anything that Redis does not answer in time is unknown.
    const replies = (await pipeline.exec().catch(() => undefined)) ?? [];
    const hashOf = (index: number, names: readonly string[]) => {
      const [error, values] = replies[index] ?? [new Error("no answer"), []];
      if (error !== null) return undefined;
      return Object.fromEntries(
        (values as (string | null)[]).flatMap((value, at) => (value === null ? [] : [[names[at], value]])),
      ) as Readonly<Record<string, string>>;
    };
    const hashes = symbols.map((symbol, at): SymbolHashes => {
      const snapshot = hashOf(2 * at, SNAPSHOT_FIELDS);
      return { symbol, snapshot, proposal: hashOf(2 * at + 1, PROPOSAL_FIELDS) };
    });
    return portfolioOf(hashes, redisNow(redis), sigmaRef);
  }
}
