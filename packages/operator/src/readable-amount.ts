import { amountText } from "@quantum/contract";

/** More than any sum of ours has. */
const UNITS = /^\d{1,40}$/;

/** What a script keeps of an amount, as decimal text; "" if somebody else wrote there what is none. */
export function readableAmount(units: string): string {
  return UNITS.test(units) ? amountText(units) : "";
}
