/** The issuers on the wire, from their rows in the topology, and how long a plan may wait for them. */
import { issuerOf } from "@quantum/topology";

export { type IssuerName, ISSUERS, QUANTITY_ISSUER } from "@quantum/topology";

/** The JSON field in which an issuer grants (docs/wire.md, "Permits"): only JSON `true` counts. */
export function verdictField(issuer: string): "granted" | "allow" {
  return issuerOf(issuer).verdictField;
}

/** The wait log's name of an issuer: `gov_ttl=58 p33_ttl=-2`. */
export function ttlLabel(issuer: string): string {
  return issuerOf(issuer).ttlLabel;
}

/**
 * The longest time from the spending of permits to the claim of their order (`APPLY_EXECUTE_TTL_MS`): an issuer keeps
 * its reservation for the permit's TTL, this and a margin.
 */
export const EXECUTE_TTL_MAX_MS = 30_000;

/**
 * The longest wait for permits (`APPLY_PERMIT_WAIT_MS`). It is shorter than a permit's TTL (60 s), by the second that a
 * handover takes at most, so the first permit still exists when the last one arrives.
 */
export const WAIT_BUDGET_MAX_MS = 59_000;
