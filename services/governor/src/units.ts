/** Amounts as the limits count them: integers in 1e-8 of a coin or dollar, of any size. */
import { Big, type RoundingMode } from "big.js";

const UNITS_PER_ONE = "1e8";

/** Charges are rounded up, so that dust still counts. Undefined below 0. */
export function chargedUnits(amount: Big): bigint | undefined {
  return units(amount, Big.roundUp);
}

/** Limits are rounded down, so that they never allow too much. Undefined below 0. */
export function limitUnits(amount: Big): bigint | undefined {
  return units(amount, Big.roundDown);
}

/** For a metric: 1e-8 as a number, which may be inexact. */
export function ofUnits(units: bigint | string = 0n): number {
  return Number(units) / Number(UNITS_PER_ONE);
}

function units(amount: Big, rounding: RoundingMode): bigint | undefined {
  if (amount.lt(0)) return undefined;
  return BigInt(amount.times(UNITS_PER_ONE).round(0, rounding).toFixed());
}
