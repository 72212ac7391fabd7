/**
 * I2 by what was signed: an order is only what all issuers granted for this attempt, or what one operator signed for this plan.
 * Uses no code of the executor.
 */
import {
  EXIT_ATTEMPT,
  type ExitClass,
  isExitClass,
  parseSignedPermit,
  type PermitClaims,
  QUANTITY_ISSUER,
} from "@quantum/contract";
import { IssuerKeys, verifyPermit } from "@quantum/signing";
import { Big } from "big.js";
import type { Evidence, VenueOrder } from "./evidence.ts";
import type { ExecuteRecord } from "./history.ts";

/** What is wrong, each as a part of a sentence about the order. */
export function signatureFlaws(
  order: VenueOrder,
  execute: ExecuteRecord,
  {
    requiredIssuers,
    issuerKeys: keys,
    attemptOf,
  }: Pick<Evidence, "requiredIssuers" | "issuerKeys" | "attemptOf">,
): string[] {
  if (keys === undefined) return [];
  const flaws: string[] = [];
  const permits = new Map<string, PermitClaims>();
  for (const text of execute.signed.split("\n").filter((line) => line !== "")) {
    const read = verifyPermit(text, keys);
    if ("flaw" in read) flaws.push(`a permit is ${read.flaw}: ${read.why}`);
    else permits.set(read.claims.issuer, read.claims);
  }
  for (const issuer of requiredIssuers) {
    const claims = permits.get(issuer);
    if (claims === undefined) flaws.push(`${issuer} signed nothing`);
    else if (
      claims.plan !== execute.planId ||
      attemptOf(claims.plan, claims.attempt) !== execute.attempt ||
      claims.symbol !== order.symbol
    )
      flaws.push(`${issuer} signed plan ${claims.plan}, attempt ${claims.attempt}, ${claims.symbol}`);
  }
  const quantity = permits.get(QUANTITY_ISSUER);
  if (quantity === undefined) return flaws;
  if (order.side !== quantity.side) flaws.push(`${order.side}, signed is ${quantity.side}`);
  const most = signedQuantity(quantity, permits.values());
  if (Big(order.origQty).gt(most)) flaws.push(`quantity ${order.origQty}, signed are ${most.toFixed()}`);
  return flaws;
}

/** The class that the first signed text says, whoever signed it: which keys must have signed. Undefined: the issuers'. */
export function exitClassOf({ signed }: Pick<ExecuteRecord, "signed">): ExitClass | undefined {
  const [first = ""] = signed.split("\n");
  const read = parseSignedPermit(first);
  return "claims" in read && isExitClass(read.claims.class) ? read.claims.class : undefined;
}

/** The class, if an operator has signed the handover. No halt stops it then; `operator` alone may send and cancel. */
export function signedExitClass(
  execute: Pick<ExecuteRecord, "signed">,
  { operatorKeys }: Pick<Evidence, "operatorKeys">,
): ExitClass | undefined {
  const exitClass = exitClassOf(execute);
  if (exitClass === undefined || operatorKeys === undefined) return undefined;
  return "claims" in verifyPermit(execute.signed, operatorKeys) ? exitClass : undefined;
}

/** What is wrong with an operator's exit, as above. Without the operators' keys nothing is signed. */
export function exitFlaws(
  order: VenueOrder,
  execute: ExecuteRecord,
  { operatorKeys }: Pick<Evidence, "operatorKeys">,
): string[] {
  const flaws: string[] = [];
  const [text = "", ...others] = execute.signed.split("\n");
  if (others.length > 0) flaws.push(`${others.length} texts besides the operator's`);
  const read = verifyPermit(text, operatorKeys ?? IssuerKeys.NONE);
  if ("flaw" in read) return [...flaws, `the operator's permit is ${read.flaw}: ${read.why}`];
  const { issuer, class: signedClass, plan, attempt, symbol, side, safe_qty: safeQty } = read.claims;
  if (signedClass !== "operator") flaws.push(`${issuer} signed a ${signedClass}, on which nothing is sent`);
  if (plan !== execute.planId || attempt !== EXIT_ATTEMPT || symbol !== order.symbol)
    flaws.push(`${issuer} signed plan ${plan}, attempt ${attempt}, ${symbol}`);
  if (order.side !== side) flaws.push(`${order.side}, signed is ${side || "no side"}`);
  if (Big(order.origQty).gt(safeQty || 0))
    flaws.push(`quantity ${order.origQty}, signed are ${safeQty || 0}`);
  return flaws;
}

/** The least of the safe quantity, the signed share of the position, and every cap. */
function signedQuantity({ safe_qty, position, pct }: PermitClaims, permits: Iterable<PermitClaims>): Big {
  const limits = [Big(safe_qty), Big(position).abs().times(pct).div(100)];
  for (const { computed_qty: cap } of permits) if (cap !== "") limits.push(Big(cap));
  return limits.reduce((least, limit) => (limit.lt(least) ? limit : least));
}
