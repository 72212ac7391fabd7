/** What the account consists of. Ids, prices and quantities are exact text. */
import type { OrderStatus, Side } from "@quantum/exchange";

/** Who sent an order: the API, the account's simulated strategy, or somebody else with the account's keys. */
export type Origin = "api" | "strategy" | "other";

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
  readonly timestampMs?: number;
  readonly recvWindowMs?: number;
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
