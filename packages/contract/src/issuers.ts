/** The issuers as the wire knows them, from their rows in the topology; and how long they may be waited for. */
import { issuerOf } from "@quantum/topology";

export { type IssuerName, ISSUERS, QUANTITY_ISSUER } from "@quantum/topology";

/** The JSON field in which an issuer says yes (docs/wire.md, "Permits"): only JSON `true` there is a yes. */
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
 * The longest wait for permits (`APPLY_PERMIT_WAIT_MS`). It is shorter than a permit lives (60 s), by the second that a
 * handover takes at most: the first permit is still there when the last one comes.
 */
export const WAIT_BUDGET_MAX_MS = 59_000;
