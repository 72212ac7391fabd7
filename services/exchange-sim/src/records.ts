/** What the account consists of. Ids, prices and quantities are exact text. */
import type { OrderStatus, Side } from "@quantum/exchange";

/** Who sent an order: the API, the account's simulated strategy, or somebody else with the account's keys. */
export type Origin = (typeof ORIGINS)[number];

/** The venue sends orders of its own when it liquidates the account, reduces it by ADL or settles a symbol. */
export const FORCED_BY = ["liquidation", "adl", "settlement"] as const;
export type ForcedBy = (typeof FORCED_BY)[number];
export const ORIGINS = ["api", "strategy", "other", ...FORCED_BY] as const;

export interface SimOrder {
  readonly symbol: string;
  readonly orderId: string;
  readonly clientOrderId: string;
  readonly side: Side;
  readonly reduceOnly: boolean;
  readonly origin: Origin;
  readonly origQty: string;
  readonly timeMs: number;
  /** The signed send window. Only orders from the API have one. */
  readonly timestampMs?: number | undefined;
  readonly recvWindowMs?: number | undefined;
  status: OrderStatus;
  executedQty: string;
  cumQuote: string;
  avgPrice: string;
  updateTimeMs: number;
}

export interface SimTrade {
  readonly id: string;
  readonly orderId: string;
  readonly symbol: string;
  readonly side: Side;
  readonly price: string;
  readonly qty: string;
  /** In the quote asset, before fees. */
  readonly realizedProfit: string;
  readonly timeMs: number;
}

export interface SimPosition {
  readonly symbol: string;
  readonly positionAmt: string;
  readonly entryPrice: string;
  readonly markPrice: string;
  readonly unrealizedProfit: string;
  readonly leverage: string;
  readonly updateTimeMs: number;
}

/** What is kept of a symbol over a restart. */
export interface SavedAccount {
  readonly orders: readonly SimOrder[];
  readonly trades: readonly SimTrade[];
  readonly position: SavedPosition;
}

export interface SavedPosition {
  readonly amount: string;
  /** Not rounded to ticks, unlike in answers. */
  readonly entry: string;
  readonly updateTimeMs: number;
}
