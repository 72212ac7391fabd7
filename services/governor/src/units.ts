/** Amounts as the limits count them: integers in 1e-8 of a coin or dollar, of any size. */
import { Big, type RoundingMode } from "big.js";

const UNITS_PER_ONE = "1e8";
/** The range of float exponents. Expanding the digits of a larger one could fill the memory. */
const EXPONENT_MAX = 308;

/** Charges are rounded up, so that dust still counts. Undefined below 0. */
export function chargedUnits(amount: Big): bigint | undefined {
  return units(amount, Big.roundUp);
}

/** Limits are rounded down, so that they never allow too much. Undefined below 0. */
export function limitUnits(amount: Big): bigint | undefined {
  return units(amount, Big.roundDown);
}

function units(amount: Big, rounding: RoundingMode): bigint | undefined {
  if (amount.lt(0)) return undefined;
  return BigInt(amount.times(UNITS_PER_ONE).round(0, rounding).toFixed());
}

/** Parses decimal text, exponents included. Undefined for anything else, such as Python's `nan` or a missing field. */
export function decimal(text: string | undefined): Big | undefined {
  try {
    const number = Big((text ?? "").trim());
    return Math.abs(number.e) > EXPONENT_MAX ? undefined : number;
  } catch {
    return undefined;
  }
}

/** A price or a quantity; 0 and below count as missing. */
export function positiveDecimal(text: string | undefined): Big | undefined {
  const number = decimal(text);
  return number?.gt(0) === true ? number : undefined;
}
