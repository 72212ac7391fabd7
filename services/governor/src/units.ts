/** Amounts as the limits count them: integers of 1e-8 of a coin or dollar, below 2^53, which is what Lua adds exactly. */
import { Big, type RoundingMode } from "big.js";

const UNITS_PER_ONE = "1e8";

/** The largest amount and limit, in coins or dollars: 90071992.54740991. */
export const LARGEST = Big(Number.MAX_SAFE_INTEGER).div(UNITS_PER_ONE);

/** What is charged rounds up, so that dust still counts. Undefined beyond {@link LARGEST}. */
export function chargedUnits(amount: Big): number | undefined {
  return units(amount, Big.roundUp);
}

/** A limit rounds down: it never allows more than was asked for. Undefined beyond {@link LARGEST}. */
export function limitUnits(amount: Big): number | undefined {
  return units(amount, Big.roundDown);
}

function units(amount: Big, rounding: RoundingMode): number | undefined {
  if (amount.lt(0) || amount.gt(LARGEST)) return undefined;
  return amount.times(UNITS_PER_ONE).round(0, rounding).toNumber();
}

/** Decimal text, exponents included. Undefined for anything else, such as Python's `nan` or an absent field. */
export function decimal(text: string | undefined): Big | undefined {
  try {
    return Big((text ?? "").trim());
  } catch {
    return undefined;
  }
}
