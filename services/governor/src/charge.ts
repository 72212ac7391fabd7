/** What a result actually executed, as the limits charge it. Pure. */
import { orderFate, positiveDecimalOf, type ResultEntry } from "@quantum/contract";
import type { Amounts } from "@quantum/permits";
import type { Big } from "big.js";
import { chargedUnits } from "./units.ts";

/**
 * Quantity and notional in 1e-8. Unknown amounts (a Python result without a quantity, no price) are omitted and charged
 * as reserved. Values of 0 or below count as unknown, because an execution has a quantity and a price.
 *
 * @param markPrice used if the result has no price
 */
export function executedAmounts(result: ResultEntry, markPrice: Big | undefined): Amounts {
  // The filled amount of a failed order is unknown.
  if (orderFate(result) === "ambiguous") return {};
  const qty = positiveDecimalOf(result.executed_qty) ?? stepsQty(result);
  const price = positiveDecimalOf(result.avg_price) ?? markPrice;
  const units = {
    qty: qty && chargedUnits(qty),
    notional: qty && price && chargedUnits(qty.times(price)),
  };
  return Object.fromEntries(
    Object.entries(units).filter((entry): entry is [string, bigint] => entry[1] !== undefined),
  );
}

/** Python's steps. Their `executed_qty` is from the order's acknowledgement, which may say 0 before the order fills. */
function stepsQty({ steps_results }: ResultEntry): Big | undefined {
  const done = steps_results.filter(({ status }) => status === "success");
  const quantities = done.map(({ executed_qty, quantity }) => {
    const executed = positive(executed_qty);
    return executed ?? positive(quantity);
  });
  return quantities.reduce<Big | undefined>(
    (sum, qty) => (qty === undefined ? sum : qty.plus(sum ?? 0)),
    undefined,
  );
}

function positive(value: unknown): Big | undefined {
  return typeof value === "string" || typeof value === "number"
    ? positiveDecimalOf(String(value))
    : undefined;
}
