import { Big } from "big.js";
import type { SymbolRules } from "./port.ts";

/** The largest multiple of `step` that does not exceed `quantity`, as a plain decimal (never an exponent). */
export function floorToStep(quantity: string, step: string): string {
  // Uses the remainder, because a quotient is rounded to 20 decimals and could be one step too high.
  const amount = Big(quantity);
  return amount.minus(amount.mod(step)).toFixed();
}

/**
 * The quantity that closes `pct` percent (above 0, at most 100) of a position, rounded down to the step and limited to
 * the maximum of one market order.
 */
export function closeQuantity(pct: number, positionAmt: string, rules: SymbolRules): string {
  if (!(pct > 0 && pct <= 100)) throw new RangeError(`pct=${pct}: must be above 0 and at most 100`);
  const wanted = Big(positionAmt).abs().times(pct).times("0.01");
  const most = wanted.gt(rules.maxQty) ? Big(rules.maxQty) : wanted;
  return floorToStep(most.toFixed(), rules.stepSize);
}

/** Whether a position is not flat, and smaller than the smallest order: no order can close it. */
export function isDust(positionAmt: string, rules: SymbolRules): boolean {
  const amount = Big(positionAmt).abs();
  return amount.gt(0) && belowMinimum(floorToStep(amount.toFixed(), rules.stepSize), "", rules) !== undefined;
}

export type BelowMinimum = "below_min_qty" | "below_min_notional";

/**
 * `undefined` if the order is large enough. Binance exempts reduce-only orders from the notional minimum (-4164: "unless
 * you choose reduce only"), and from no other. We exempt those that close all that one order can; pass "" as the
 * price for them, or if the price is unknown.
 */
export function belowMinimum(quantity: string, price: string, rules: SymbolRules): BelowMinimum | undefined {
  const amount = Big(quantity);
  if (amount.lte(0) || amount.lt(rules.minQty)) return "below_min_qty";
  if (price !== "" && amount.times(price).lt(rules.minNotional)) return "below_min_notional";
  return undefined;
}

const PLAN_ID = /^[0-9a-f]{16}$/;
const CLIENT_ORDER_ID = /^qp-([0-9a-f]{16})-[1-9]\d*$/;

/**
 * `qp-<plan id>-<attempt number>`, so the exchange shows who sent an order and for which plan. An attempt has the same
 * id after any crash, so its order can be found. A new attempt has a new id.
 */
export function clientOrderId(planId: string, attemptNo: number): string {
  if (!PLAN_ID.test(planId)) throw new RangeError(`planId="${planId}": must be 16 lower-case hex digits`);
  if (!Number.isSafeInteger(attemptNo) || attemptNo < 1) {
    throw new RangeError(`attemptNo=${attemptNo}: must be a whole number from 1`);
  }
  return `qp-${planId}-${attemptNo}`;
}

/** Whether an order's client id has the form that this pipeline gives. */
export function isClientOrderId(text: string): boolean {
  return CLIENT_ORDER_ID.test(text);
}

/** The plan of an order of ours; undefined if the order is not ours. */
export function planIdOf(text: string): string | undefined {
  return CLIENT_ORDER_ID.exec(text)?.[1];
}
