/**
 * Checks the pipeline's invariants after a run, from the streams, the exchange and Redis. Pure, and independent of the
 * services: it uses none of their code.
 *
 * I1 and I2 count per plan id, I3 and I4 per attempt (an `apply.plan` entry).
 */
import type { Evidence } from "./evidence.ts";
import { type Finding, ordersOfPlans } from "./finding.ts";
import { claimsInTime, ledgerEqualsFills, quantitiesInBounds } from "./order-checks.ts";
import {
  oneOrderAPlan,
  oneResultAPlan,
  oneResultForSpentPermits,
  permitsBehindOrders,
} from "./plan-checks.ts";

export const INVARIANTS = {
  I1: "at most one order per plan at the exchange",
  I2: "an order only with every permit, or an operator's signature, spent once, for that plan, symbol and quantity",
  I3: "permits spent: one handover, one result and at most one correction of it, and the last one agrees with the exchange",
  I4: "every plan ends in exactly one result, and at most one correction of it",
  I5: "executed <= safe <= position, and no order opened or flipped a position",
  I6: "nothing claimed too late, and under the kill switch only an operator's exit",
  I7: "the ledger equals the exchange's fills",
} as const;
export type InvariantName = keyof typeof INVARIANTS;
export type Findings = Readonly<Record<InvariantName, Finding>>;

/** There was no evidence to check. */
export const UNCHECKED = Object.fromEntries(
  Object.keys(INVARIANTS).map((name) => [name, { checked: 0, violations: [] }]),
) as unknown as Findings;

export function checkInvariants(evidence: Evidence): Findings {
  const orders = ordersOfPlans(evidence);
  return {
    I1: oneOrderAPlan(orders),
    I2: permitsBehindOrders(evidence, orders),
    I3: oneResultForSpentPermits(evidence, orders),
    I4: oneResultAPlan(evidence),
    I5: quantitiesInBounds(evidence, orders),
    I6: claimsInTime(evidence, orders),
    I7: ledgerEqualsFills(evidence),
  };
}
