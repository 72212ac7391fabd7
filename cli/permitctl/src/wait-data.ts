import type { WaitOutcome } from "@quantum/contract";

/** The fields of a `[PERMIT_WAIT]` line, as JSON. */
export function waitData(outcome: WaitOutcome) {
  const { kind, planId, symbol, waitMs } = outcome;
  const head = { outcome: kind === "ok" ? "OK" : "BLOCK", plan_id: planId, symbol, wait_ms: waitMs };
  if (outcome.kind === "ok") return { ...head, safe_qty: outcome.safeQty };
  return { ...head, reason: outcome.reason, detail: outcome.detail };
}
