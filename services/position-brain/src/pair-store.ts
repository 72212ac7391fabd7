/**
 * Stores the pairs (`lua/ledger/store.lua`), keeps them current (`keep.lua`), and reads what decisions (`state.lua`) and
 * refreshes start from.
 */
import {
  flatFields,
  isExitClass,
  type NameOf,
  type orderRecord,
  QUANTITY_ISSUER,
  TTL_SEC,
} from "@quantum/contract";
import { dropMistyped } from "@quantum/permits";
import { bindScript, redisNow } from "@quantum/redis";
import type { Partitions } from "@quantum/service-kit";
import { fieldsOf } from "@quantum/streams";
import {
  type Ledger,
  ledgerFields,
  type Pair,
  parseLedger,
  parseSnapshot,
  type Snapshot,
  snapshotFields,
} from "./pair.ts";

const runStore = bindScript("ledger/store");

const runKeep = bindScript("ledger/keep");

const runState = bindScript("ledger/state");

/** The stored pair, and the version that the next store must name. */
export interface StoredPair {
  version: string;
  snapshot: Snapshot | undefined;
  ledger: Ledger | undefined;
  /** Another program has written to one half since we did, or we never wrote it. */
  isForeign: boolean;
}

/** The input of a decision, as of one moment. */
export interface SymbolState {
  /** That moment, by Redis's clock. */
  nowMs: number;
  pair: Pair | undefined;
  /** Our orders in doubt. */
  unknownOrders: number;
  /** Reserved by permits whose plans have not ended, in 1e-8. */
  reservedUnits: bigint;
  /** How many reservations have ended. If the count has changed, `pair` must be read again. */
  releases: string;
}

/** The permit scripts' name for the amount that P3.3 reserves. */
export const RESERVED_AMOUNT = "qty";

export type PairStore = ReturnType<typeof createPairStore>;

export function createPairStore({ partitions, source }: { partitions: Partitions; source: string }) {
  const known = new Map<string, { version: string; fingerprint: string; pair: Pair }>();
  return {
    /** The time of the symbol's partition in whole ms, used to date and judge everything stored of the symbol. */
    now,

    /** The same of any symbol, as of this call. */
    moment: (): ((symbol: string) => number) => {
      const times = new Map(partitions.map(({ number, redis }) => [number, redisNow(redis)]));
      return (symbol) => times.get(partitions.of(symbol).number) ?? now(symbol);
    },

    read,

    /**
     * The same of several symbols. A partition that does not answer is the trouble of its own symbols alone.
     * @throws if none can be read
     */
    async readAll(
      symbols: Iterable<string>,
    ): Promise<{ stored: Map<string, StoredPair>; failed: Map<string, Error> }> {
      const stored = new Map<string, StoredPair>();
      const failed = new Map<string, Error>();
      const readOne = async (symbol: string) => {
        try {
          stored.set(symbol, await read(symbol));
        } catch (error) {
          failed.set(symbol, error as Error);
        }
      };
      await Promise.all([...symbols].map(readOne));
      const [error] = failed.values();
      if (error !== undefined && stored.size === 0) throw error;
      return { stored, failed };
    },

    /** @returns the new version; undefined if another refresh has stored in the meantime: read again */
    async store(symbol: string, version: string, pair: Pair): Promise<string | undefined> {
      const fields = snapshotFields(pair.snapshot, source);
      const snapshot = flatFields(fields);
      const { redis, keys } = partitions.of(symbol);
      const [status, stored = ""] = await runStore(redis, {
        keys: { snapshot: keys.snapshot(symbol), ledger: keys.ledger(symbol) },
        args: {
          version,
          snapshot_sec: String(TTL_SEC.snapshot),
          ledger_sec: String(TTL_SEC.ledger),
          snapshot_fields: String(snapshot.length),
        },
        restArgs: [...snapshot, ...flatFields(ledgerFields(pair.ledger, pair.snapshot.tsEpochSec))],
      });
      if (status !== "STORED") return undefined;
      // Both halves are as they were written here, so a decision need not read them back.
      known.set(symbol, { version: stored, fingerprint: fields.fingerprint, pair });
      return stored;
    },

    /**
     * The exchange has told nothing new up to `aliveSec`, by Redis's clock.
     * @returns the pair with that time; undefined if another process has written to it: read again
     */
    async keep(symbol: string, version: string, pair: Pair, aliveSec: number): Promise<Pair | undefined> {
      const { redis, keys } = partitions.of(symbol);
      const kept = { ...pair, snapshot: { ...pair.snapshot, tsEpochSec: aliveSec } };
      const [status] = await runKeep(redis, {
        keys: { snapshot: keys.snapshot(symbol), ledger: keys.ledger(symbol) },
        args: {
          version,
          ts_epoch: String(pair.snapshot.tsEpochSec),
          amount: pair.ledger.amt,
          alive_epoch: String(aliveSec),
          fingerprint: snapshotFields(kept.snapshot, source).fingerprint,
          snapshot_sec: String(TTL_SEC.snapshot),
          ledger_sec: String(TTL_SEC.ledger),
        },
      });
      return status === "KEPT" ? kept : undefined;
    },

    /** Caches the parsed pair by its version, because plans are more frequent than refreshes. */
    async state(symbol: string): Promise<SymbolState> {
      const { redis, keys } = partitions.of(symbol);
      const before = known.get(symbol);
      const [status, nowMs, doubts, reserved, releases = "0", version = "", length, ...fields] =
        await runState(redis, {
          keys: {
            snapshot: keys.snapshot(symbol),
            ledger: keys.ledger(symbol),
            unknown: keys.unknown(symbol),
            totals: keys.reservations(QUANTITY_ISSUER, symbol).totals,
          },
          args: {
            version: before?.version ?? "",
            fingerprint: before?.fingerprint ?? "",
            amount: RESERVED_AMOUNT,
          },
        });
      let pair: Pair | undefined = before?.pair;
      if (status === "STATE") {
        const hash = fieldsOf(fields.slice(0, Number(length)));
        const snapshot = parseSnapshot(hash);
        const ledger = parseLedger(fieldsOf(fields.slice(Number(length))));
        pair = snapshot === undefined || ledger === undefined ? undefined : { snapshot, ledger };
        // Plans may name any symbol. Only symbols with a pair are cached.
        if (pair === undefined) known.delete(symbol);
        else known.set(symbol, { version, fingerprint: hash["fingerprint"] ?? "", pair });
      }
      return {
        nowMs: Number(nowMs),
        pair,
        unknownOrders: Number(doubts),
        reservedUnits: BigInt(reserved ?? 0),
        releases,
      };
    },

    /** Whether the plan's order is of an operator's exit, as the executor has verified it. A claim that cannot be read is not. */
    async isExit(symbol: string, planId: string): Promise<boolean> {
      const { redis, keys } = partitions.of(symbol);
      const name: NameOf<typeof orderRecord> = "class";
      const text = await redis.hget(keys.order(planId), name).catch(() => null);
      return text !== null && isExitClass(text);
    },

    /** Orders that are claimed and not settled. The exchange may show them in one answer but not in the next. */
    async unsettledOrders(symbol: string): Promise<number> {
      const { redis, keys } = partitions.of(symbol);
      return redis.zcard(keys.unsettled(symbol));
    },
  };

  function now(symbol: string): number {
    return redisNow(partitions.of(symbol).redis);
  }

  /** Where a refresh starts. A half of the wrong type counts as missing and is read from the exchange again. */
  async function read(symbol: string): Promise<StoredPair> {
    const { redis, keys } = partitions.of(symbol);
    await dropMistyped(redis, [
      { key: keys.snapshot(symbol), type: "hash" },
      { key: keys.ledger(symbol), type: "hash" },
    ]);
    const hashes = await readHashes(symbol);
    const snapshot = parseSnapshot(hashes.snapshot);
    const ledger = parseLedger(hashes.ledger);
    const isForeign = (half: object | undefined, hash: object) =>
      half === undefined && Object.keys(hash).length > 0;
    return {
      version: hashes.ledger["version"] ?? "",
      snapshot,
      ledger,
      isForeign: isForeign(snapshot, hashes.snapshot) || isForeign(ledger, hashes.ledger),
    };
  }

  async function readHashes(symbol: string) {
    const { redis, keys } = partitions.of(symbol);
    const [snapshot, ledger] = await Promise.all([
      redis.hgetall(keys.snapshot(symbol)),
      redis.hgetall(keys.ledger(symbol)),
    ]);
    return { snapshot, ledger };
  }
}
