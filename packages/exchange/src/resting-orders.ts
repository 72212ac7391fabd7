/** Orders that wait at the venue, what they may do to a position, and what becomes of cancelling one. */
import type { OrderState, Side } from "./order-state.ts";

export interface OpenOrder extends OrderState, Effect {
  /** Such as LIMIT; "" if missing. */
  readonly type: string;
}

/**
 * A conditional order that has not triggered, such as a stop. The venue keeps it apart from the book: it has an id of its
 * own, locks no margin and no position, and becomes an ordinary order when it triggers. Source: Binance, "Change Log" of the
 * derivatives APIs, 2025-11-06.
 */
export interface AlgoOrder extends Effect {
  readonly symbol: string;
  readonly algoId: string;
  /** "" if missing. */
  readonly clientAlgoId: string;
  readonly side: Side;
  /** Such as STOP_MARKET; "" if missing. */
  readonly type: string;
  /** "" if unreadable; zero if it closes the whole position. */
  readonly quantity: string;
  /** "" if unreadable. */
  readonly triggerPrice: string;
}

interface Effect {
  readonly reduceOnly: boolean;
  /** Closes the whole position when it triggers. */
  readonly closePosition: boolean;
  /** The answer does not say whether it is reduce-only: it may reduce, and it may open. */
  readonly isUnclear?: boolean;
}

/** Whether it may make a position smaller without ever opening one, and so takes a part of what other orders may reduce. */
export function reduces({ reduceOnly, closePosition, isUnclear }: Effect): boolean {
  return reduceOnly || closePosition || isUnclear === true;
}

/** Whether it could open, enlarge or turn a position. */
export function opens({ reduceOnly, closePosition, isUnclear }: Effect): boolean {
  return !(reduceOnly || closePosition) || isUnclear === true;
}

export type Cancellation =
  /** It is out of the book. What it had filled stays filled. */
  | { readonly outcome: "cancelled" }
  /** The venue has no such open order: it was filled, triggered or cancelled before, so the position may have changed. */
  | { readonly outcome: "gone" }
  /** It may still wait: the venue refused, or did not answer. */
  | { readonly outcome: "failed"; readonly message: string; readonly code: number | undefined };
