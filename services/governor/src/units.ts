/** Amounts as the limits count them: whole numbers of 1e-8 of a coin or dollar, of any size. */
import { Big, type RoundingMode } from "big.js";

const UNITS_PER_ONE = "1e8";
/** No float has a larger or smaller exponent, and digits for one could fill the memory. */
const EXPONENT_MAX = 308;

/** What is charged rounds up, so that dust still counts. Undefined below 0. */
export function chargedUnits(amount: Big): bigint | undefined {
  return units(amount, Big.roundUp);
}

/** A limit rounds down: it never allows more than was asked for. Undefined below 0. */
export function limitUnits(amount: Big): bigint | undefined {
  return units(amount, Big.roundDown);
}

function units(amount: Big, rounding: RoundingMode): bigint | undefined {
  if (amount.lt(0)) return undefined;
  return BigInt(amount.times(UNITS_PER_ONE).round(0, rounding).toFixed());
}

/** Decimal text, exponents included. Undefined for anything else, such as Python's `nan` or an absent field. */
export function decimal(text: string | undefined): Big | undefined {
  try {
    const number = Big((text ?? "").trim());
    return Math.abs(number.e) > EXPONENT_MAX ? undefined : number;
  } catch {
    return undefined;
  }
}

/** A price or a quantity; values not above 0 count as absent. */
export function positiveDecimal(text: string | undefined): Big | undefined {
  const number = decimal(text);
  return number?.gt(0) === true ? number : undefined;
}
