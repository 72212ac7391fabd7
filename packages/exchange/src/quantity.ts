import { Big } from "big.js";
import type { SymbolRules } from "./port.ts";

/** The largest multiple of `step` that is not above `quantity`, as a plain decimal (never an exponent). */
export function floorToStep(quantity: string, step: string): string {
  // By remainder, not by division: a quotient is rounded at 20 decimals and can come out one step too high.
  const amount = Big(quantity);
  return amount.minus(amount.mod(step)).toFixed();
}

/**
 * How much of a position closing `pct` percent (above 0, at most 100) of it means: floored to the step, and to the
 * most that one market order may carry.
 */
export function closeQuantity(pct: number, positionAmt: string, rules: SymbolRules): string {
  if (!(pct > 0 && pct <= 100)) throw new RangeError(`pct=${pct}: must be above 0 and at most 100`);
  const wanted = Big(positionAmt).abs().times(pct).times("0.01");
  const most = wanted.gt(rules.maxQty) ? Big(rules.maxQty) : wanted;
  return floorToStep(most.toFixed(), rules.stepSize);
}

export type BelowMinimum = "below_min_qty" | "below_min_notional";

/**
 * `undefined` if the order is large enough. Binance exempts reduce-only orders from the notional; we do not, where there
 * is a price (not ""): what cannot be told is the venue's to judge.
 */
export function belowMinimum(quantity: string, price: string, rules: SymbolRules): BelowMinimum | undefined {
  const amount = Big(quantity);
  if (amount.lte(0) || amount.lt(rules.minQty)) return "below_min_qty";
  if (price !== "" && amount.times(price).lt(rules.minNotional)) return "below_min_notional";
  return undefined;
}

const PLAN_ID = /^[0-9a-f]{16}$/;

/**
 * `qp-<plan id>-<attempt number>`: who sent an order, and for what, can be read off the exchange. The same attempt
 * has the same id after any crash, which is what makes an order findable; a new attempt has a new one.
 */
export function clientOrderId(planId: string, attemptNo: number): string {
  if (!PLAN_ID.test(planId)) throw new RangeError(`planId="${planId}": must be 16 lower-case hex digits`);
  if (!Number.isSafeInteger(attemptNo) || attemptNo < 1) {
    throw new RangeError(`attemptNo=${attemptNo}: must be a whole number from 1`);
  }
  return `qp-${planId}-${attemptNo}`;
}
