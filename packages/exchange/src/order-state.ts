/** An order as the venue tells it. */
export type Side = "BUY" | "SELL";

export interface OrderState {
  readonly symbol: string;
  readonly orderId: string;
  /** "" if it has none. */
  readonly clientOrderId: string;
  readonly side: Side;
  readonly status: string;
  readonly reduceOnly: boolean;
  /** "" if a query's answer lacks it; open orders always have it. */
  readonly origQty: string;
  /** What was filled when the venue wrote this answer; final only if the order is closed. */
  readonly executedQty: string;
  /** "" if missing; 0 would not be a price. */
  readonly avgPrice: string;
  readonly updateTimeMs: number;
}
