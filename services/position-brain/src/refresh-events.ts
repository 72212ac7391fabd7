/** What a refresh tells. */
import type { OrderState } from "@quantum/exchange";
import type { Pair } from "./pair.ts";

/** A pair that was read from the exchange and stored. */
export interface StoredReading {
  symbol: string;
  pair: Pair;
  version: string;
  /** The symbol's open orders; undefined if they were not read, as of a flat position. */
  orders: readonly OrderState[] | undefined;
  /** When reading began, by performance.now(). */
  readAtMs: number;
}

export type RefreshResult =
  /** The pair is stored and includes the fills of all given executions. */
  | "stored"
  /** The exchange's answers are not consistent yet; the old pair stays. */
  | "inconclusive";

export interface RefreshEvents {
  /** All symbols have been read once. */
  refreshed: [{ symbols: number; tookMs: number }];
  stored: [StoredReading];
  inconclusive: [{ symbol: string }];
  /** The fills that were added from events are not the account's trades. The ledger follows the trades. */
  misbooked: [{ symbol: string; booked: string; counted: string }];
  /** Another program wrote to the pair after we did: a second P3.3 is running. */
  overwritten: [{ symbol: string }];
  failed: [{ symbol: string | undefined; error: Error }];
}
