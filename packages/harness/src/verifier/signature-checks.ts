/** I2 by what the issuers signed: an order is only what they all granted, for this attempt. Uses no code of the executor. */
import { QUANTITY_ISSUER, type PermitClaims } from "@quantum/contract";
import { verifyPermit } from "@quantum/signing";
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

/** The least of the safe quantity, the signed share of the position, and every cap. */
function signedQuantity({ safe_qty, position, pct }: PermitClaims, permits: Iterable<PermitClaims>): Big {
  const limits = [Big(safe_qty), Big(position).abs().times(pct).div(100)];
  for (const { computed_qty: cap } of permits) if (cap !== "") limits.push(Big(cap));
  return limits.reduce((least, limit) => (limit.lt(least) ? limit : least));
}
