/** Reads from Redis what a decision needs. */
import { presentFields } from "@quantum/contract";
import { executedSince } from "@quantum/permits";
import { type Hashes, type RedisClient, redisNow, withDeadline } from "@quantum/redis";
import type { Partitions } from "@quantum/service-kit";
import {
  type Portfolio,
  portfolioOf,
  PROPOSAL_FIELDS,
  SNAPSHOT_FIELDS,
  type SymbolHashes,
  type Unknown,
} from "./portfolio.ts";

export interface ReaderOptions {
  partitions: Partitions;
  /**
   * Where proposals are read: publishers know no partitions. Undefined: beside the snapshots, since in the wire's layout one
   * server has everything.
   */
  proposals: Pick<Hashes, "read"> | undefined;
  issuer: string;
  /** Of the portfolio. */
  symbols: readonly string[];
  sigmaRef: number;
  cooldownSec: number;
}

const MS_PER_SEC = 1_000;
/** A partition that does not answer within this time is unknown, so that plans of the others are denied while they still wait. */
const READ_DEADLINE_MS = 500;

type Fields = Readonly<Record<string, string>>;

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
    const { partitions, issuer, cooldownSec } = this.#options;
    if (cooldownSec === 0) return false;
    const { redis, keys } = partitions.of(symbol);
    const since = redisNow(redis) - cooldownSec * MS_PER_SEC;
    return executedSince({ redis, keys, issuer }, symbol, since).catch(({ message }: Error) => {
      return { flaw: "executions_unreadable", symbol, what: message };
    });
  }

  /** One round trip for any number of symbols, on each connection. */
  async #read(): Promise<Portfolio | Unknown> {
    const { partitions, proposals, symbols, sigmaRef } = this.#options;
    const reads = new Reads(partitions.all.length === 1 ? undefined : READ_DEADLINE_MS);
    const read = symbols.map((symbol) => {
      const { redis, keys } = partitions.of(symbol);
      const snapshot = reads.add(redis, keys.snapshot(symbol), SNAPSHOT_FIELDS);
      const key = keys.proposal(symbol);
      if (proposals === undefined)
        return { symbol, snapshot, proposal: reads.add(redis, key, PROPOSAL_FIELDS) };
      const reading = withDeadline(proposals.read(key), READ_DEADLINE_MS, key).catch(() => undefined);
      return { symbol, snapshot, proposal: () => reading };
    });
    await reads.exec();
    const hashes = read.map(async ({ symbol, snapshot, proposal }): Promise<SymbolHashes> => {
      const found = await proposal();
      return { symbol, snapshot: snapshot(), proposal: found, nowMs: redisNow(partitions.of(symbol).redis) };
    });
    return portfolioOf(await Promise.all(hashes), sigmaRef);
  }
}

/** Hashes to read, in one pipeline a connection. */
class Reads {
  readonly #deadlineMs: number | undefined;
  readonly #keys = new Map<RedisClient, { key: string; names: readonly string[] }[]>();
  readonly #found = new Map<string, Fields>();

  /** @param deadlineMs undefined: that of every command */
  constructor(deadlineMs: number | undefined) {
    this.#deadlineMs = deadlineMs;
  }

  /** @returns what was read, after `exec`: undefined if it is unreadable, or if Redis has not answered in time */
  add(redis: RedisClient, key: string, names: readonly string[]): () => Fields | undefined {
    const reads = this.#keys.get(redis) ?? [];
    reads.push({ key, names });
    this.#keys.set(redis, reads);
    return () => this.#found.get(key);
  }

  async exec(): Promise<void> {
    await Promise.all(
      [...this.#keys].map(async ([redis, reads]) => {
        const pipeline = redis.pipeline();
        for (const { key, names } of reads) pipeline.hmget(key, ...names);
        const sent = pipeline.exec();
        const answer =
          this.#deadlineMs === undefined ? sent : withDeadline(sent, this.#deadlineMs, "the portfolio");
        const replies = (await answer.catch(() => undefined)) ?? [];
        for (const [at, { key, names }] of reads.entries()) {
          const [error, values] = replies[at] ?? [new Error("no answer"), []];
          if (error === null) this.#found.set(key, presentFields(names, values as (string | null)[]));
        }
      }),
    );
  }
}
