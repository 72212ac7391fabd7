/** Decimal text of hashes and entries as exact numbers. */
import { Big } from "big.js";

/** The range of float exponents. Expanding the digits of a larger one could fill the memory. */
const EXPONENT_MAX = 308;

/** Parses decimal text, exponents included. Undefined for anything else, such as Python's `nan` or a missing field. */
export function decimalOf(text: string | undefined): Big | undefined {
  try {
    const number = Big((text ?? "").trim());
    return Math.abs(number.e) > EXPONENT_MAX ? undefined : number;
  } catch {
    return undefined;
  }
}

/** A price or a quantity; 0 and below count as missing. */
export function positiveDecimalOf(text: string | undefined): Big | undefined {
  const number = decimalOf(text);
  return number?.gt(0) === true ? number : undefined;
}

/** The scripts count amounts in 1e-8. */
const UNIT_DECIMALS = 8;

/** From whole 1e-8 to decimal text, without trailing zeros. */
export function amountText(units: string): string {
  const digits = units.padStart(UNIT_DECIMALS + 1, "0");
  const decimals = digits.slice(-UNIT_DECIMALS).replace(/0+$/, "");
  const whole = digits.slice(0, -UNIT_DECIMALS);
  return decimals === "" ? whole : `${whole}.${decimals}`;
}
