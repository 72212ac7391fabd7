/** Whether a plan's order may have been sent already, judged without Redis. Pure. */

export interface Sender {
  /** `sinceMs`: the journal has every sent plan whose permits were issued later; in ms by Redis's clock. */
  journal: { has: (planId: string) => boolean; sinceMs: number };
  /** Since when this executor has owned the orders, in ms by Redis's clock; undefined if it does not own them. */
  ownerSinceMs: number | undefined;
}

/**
 * If so, it is claimed as a question and nothing is sent (ADR 8). It is in the journal, or its permits are older than the
 * journal, or older than the takeover from another executor.
 *
 * @param issuedMs when the earliest of its permits was issued, in ms by Redis's clock; for unsigned permits, when its plan
 * was opened
 */
export function mustAskFirst(
  { planId, issuedMs }: { planId: string; issuedMs: number },
  { journal, ownerSinceMs }: Sender,
): boolean {
  if (journal.has(planId) || ownerSinceMs === undefined) return true;
  return issuedMs <= journal.sinceMs || issuedMs <= ownerSinceMs;
}
