/** Where the pairs are kept: `lua/ledger/store.lua`, and what decisions (`state.lua`) and refreshes begin with. */
import { flatFields, type Keys, QUANTITY_ISSUER, TTL_SEC } from "@quantum/contract";
import { beginAnew } from "@quantum/permits";
import { bindScript, type RedisClient, redisNow } from "@quantum/redis";
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

const runState = bindScript("ledger/state");

/** What is there of a pair, and the version that a store must name. */
export interface StoredPair {
  version: string;
  snapshot: Snapshot | undefined;
  ledger: Ledger | undefined;
  /** One half was written to by another program since we did, or was never written by us. */
  isForeign: boolean;
}

/** What a decision is made from, as it was at one moment. */
export interface SymbolState {
  /** That moment, by Redis's clock. */
  nowMs: number;
  pair: Pair | undefined;
  /** Our orders in doubt. */
  unknownOrders: number;
  /** Reserved by permits whose plans have not ended, in 1e-8. */
  reservedUnits: bigint;
  /** How many reservations had ended: one that ends later changes what `pair` must be read with. */
  releases: string;
}

/** The amount that P3.3 reserves, as the permit scripts name it. */
export const PROMISED = "qty";

export type PairStore = ReturnType<typeof createPairStore>;

export function createPairStore({ redis, keys, source }: { redis: RedisClient; keys: Keys; source: string }) {
  const known = new Map<string, { version: string; pair: Pair }>();
  return {
    /** The time that everything stored here is dated by and judged by, in whole ms: Redis's. */
    now: (): number => redisNow(redis),

    /** What a refresh begins with: a half of the wrong type counts as absent and is read from the exchange again. */
    async read(symbol: string): Promise<StoredPair> {
      await beginAnew(redis, [
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
    },

    /** @returns false if another refresh stored in between: read again. */
    async store(symbol: string, version: string, pair: Pair): Promise<boolean> {
      const snapshot = flatFields(snapshotFields(pair.snapshot, source));
      const [status] = await runStore(redis, {
        keys: { snapshot: keys.snapshot(symbol), ledger: keys.ledger(symbol) },
        args: {
          version,
          snapshot_sec: String(TTL_SEC.snapshot),
          ledger_sec: String(TTL_SEC.ledger),
          snapshot_fields: String(snapshot.length),
        },
        restArgs: [...snapshot, ...flatFields(ledgerFields(pair.ledger, pair.snapshot.tsEpochSec))],
      });
      return status === "STORED";
    },

    /** A pair changes with each refresh, a decision is asked for with each plan: so it is kept, parsed, by its version. */
    async state(symbol: string): Promise<SymbolState> {
      const before = known.get(symbol);
      const [status, now, doubts, reserved, releases = "0", version = "", length, ...fields] = await runState(
        redis,
        {
          keys: {
            snapshot: keys.snapshot(symbol),
            ledger: keys.ledger(symbol),
            unknown: keys.unknown(symbol),
            totals: keys.reservations(QUANTITY_ISSUER, symbol).totals,
          },
          args: { version: before?.version ?? "", amount: PROMISED },
        },
      );
      let pair: Pair | undefined = before?.pair;
      if (status === "STATE") {
        const snapshot = parseSnapshot(fieldsOf(fields.slice(0, Number(length))));
        const ledger = parseLedger(fieldsOf(fields.slice(Number(length))));
        pair = snapshot === undefined || ledger === undefined ? undefined : { snapshot, ledger };
        // Plans may name any symbol; kept are those that there is a pair of.
        if (pair === undefined) known.delete(symbol);
        else known.set(symbol, { version, pair });
      }
      return {
        nowMs: Number(now),
        pair,
        unknownOrders: Number(doubts),
        reservedUnits: BigInt(reserved ?? 0),
        releases,
      };
    },

    /** Orders that are claimed and not settled: the exchange may show them in one answer and not yet in the next. */
    async unsettledOrders(symbol: string): Promise<number> {
      return redis.zcard(keys.unsettled(symbol));
    },
  };

  async function readHashes(symbol: string) {
    const [snapshot, ledger] = await Promise.all([
      redis.hgetall(keys.snapshot(symbol)),
      redis.hgetall(keys.ledger(symbol)),
    ]);
    return { snapshot, ledger };
  }
}
