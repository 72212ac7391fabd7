/** What the account consists of. Ids, prices and quantities are exact text. */
import type { OrderStatus, Side } from "@quantum/exchange";

/** Who sent an order: the API, the account's simulated strategy, or somebody else with the account's keys. */
export type Origin = (typeof ORIGINS)[number];

/** The venue sends orders of its own when it liquidates the account, reduces it by ADL or settles a symbol. */
export const FORCED_BY = ["liquidation", "adl", "settlement"] as const;
export type ForcedBy = (typeof FORCED_BY)[number];
export const ORIGINS = ["api", "strategy", "other", ...FORCED_BY] as const;

/** MARKET executes at once. LIMIT waits until it is cancelled, or a tester lets it fill. */
export const ORDER_TYPES = ["MARKET", "LIMIT"] as const;
export type OrderType = (typeof ORDER_TYPES)[number];
/** Of a market order, in answers and in the account. */
export const NO_PRICE = "0.00";

export interface SimOrder {
  readonly symbol: string;
  readonly orderId: string;
  readonly clientOrderId: string;
  readonly side: Side;
  readonly type: OrderType;
  readonly price: string;
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

export function isOpen({ status }: SimOrder): boolean {
  return status === "NEW" || status === "PARTIALLY_FILLED";
}

/** Conditional orders, which the venue keeps apart from the book. */
export const ALGO_TYPES = [
  "STOP",
  "STOP_MARKET",
  "TAKE_PROFIT",
  "TAKE_PROFIT_MARKET",
  "TRAILING_STOP_MARKET",
] as const;
/** FINISHED: it triggered, and its order is closed. REJECTED: it triggered, and its order was refused. */
export const ALGO_STATUSES = ["NEW", "CANCELED", "FINISHED", "REJECTED"] as const;

export interface SimAlgoOrder {
  readonly symbol: string;
  readonly algoId: string;
  readonly clientAlgoId: string;
  readonly side: Side;
  readonly type: (typeof ALGO_TYPES)[number];
  readonly reduceOnly: boolean;
  /** Then its quantity is 0. */
  readonly closePosition: boolean;
  readonly quantity: string;
  readonly triggerPrice: string;
  readonly timeMs: number;
  status: (typeof ALGO_STATUSES)[number];
  /** The order that it became; "" before. */
  actualOrderId: string;
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
  readonly algoOrders: readonly SimAlgoOrder[];
  readonly position: SavedPosition;
}

export interface SavedPosition {
  readonly amount: string;
  /** Not rounded to ticks, unlike in answers. */
  readonly entry: string;
  readonly updateTimeMs: number;
}
