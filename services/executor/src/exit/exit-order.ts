/** What an exit sends. Pure. */
import type { ExecuteEntry } from "@quantum/contract";
import { floorToStep, isDust, type Side, type SymbolRules } from "@quantum/exchange";
import { Big } from "big.js";
import type { OrderIntent } from "../decide.ts";

export interface ExitIntent extends OrderIntent {
  /** Of the refusal, or empty. */
  detail: string;
}

/** Of a claim that leads to no order. */
export const NO_ORDER = { side: "SELL", quantity: "0" } as const;

/** The side that closes a position. */
export function closingSide(positionAmt: string): Side {
  return Big(positionAmt).gt(0) ? "SELL" : "BUY";
}

/** The most that an exit may have sent, by its entry alone: for a query. */
export function exitAtMost({ position_amt: positionAmt, safe_qty: quantity }: Amounts): OrderIntent {
  return { side: closingSide(positionAmt), quantity };
}
type Amounts = Pick<ExecuteEntry, "position_amt" | "safe_qty">;

/**
 * The order that closes as much as was signed, the position has and the venue takes at once, rounded down to the symbol's
 * step (I5: never above the position).
 *
 * @param positionAmt as the venue has just said, signed, in coins
 * @param rules undefined if the venue does not list the symbol
 */
export function exitIntent(
  signed: { side: Side; largestQty: string },
  positionAmt: string,
  rules: SymbolRules | undefined,
): ExitIntent {
  const { side } = signed;
  const none = { side, quantity: "0" };
  const position = Big(positionAmt).abs();
  if (position.eq(0)) return { ...none, refusal: "exit_flat", detail: "" };
  if (closingSide(positionAmt) !== side)
    return { ...none, refusal: "exit_side_changed", detail: `${side} does not close ${positionAmt}` };
  if (rules === undefined) return { ...none, refusal: "symbol_unknown", detail: "" };
  const floored = (quantity: Big) => Big(floorToStep(quantity.toFixed(), rules.stepSize));
  const wanted = floored(position.gt(signed.largestQty) ? Big(signed.largestQty) : position);
  const largest = floored(Big(rules.maxQty));
  const amount = wanted.gt(largest) ? largest : wanted;
  const quantity = amount.toFixed();
  if (amount.lte(0) || amount.lt(rules.minQty)) {
    const detail = isDust(positionAmt, rules)
      ? `${position.toFixed()} is left, which is less than the smallest order of ${rules.minQty}`
      : `${signed.largestQty} was signed, and the smallest order is ${rules.minQty}`;
    return { side, quantity, refusal: "quantity_below_minimum", detail };
  }
  return { side, quantity, detail: "", ...(wanted.gt(largest) && { cappedByVenue: true as const }) };
}

/** An account that needs more orders for a symbol is not listed in full. */
const STEPS_MAX = 100;

/** The orders that close a position one after another, and what is left because no order is that small. */
export function exitSteps(positionAmt: string, rules: SymbolRules): { steps: string[]; rest: string } {
  const steps: string[] = [];
  let rest = Big(positionAmt).abs();
  while (rest.gt(0) && steps.length < STEPS_MAX) {
    const signed = { side: closingSide(positionAmt), largestQty: rest.toFixed() };
    const { quantity, refusal } = exitIntent(signed, positionAmt, rules);
    if (refusal !== undefined) break;
    steps.push(quantity);
    rest = rest.minus(quantity);
  }
  return { steps, rest: rest.toFixed() };
}
