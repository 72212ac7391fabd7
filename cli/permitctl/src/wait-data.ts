import type { LastWait } from "@quantum/operator";

/** The fields of a `[PERMIT_WAIT]` line and its time, as JSON. */
export function waitData(wait: LastWait) {
  const { kind, planId, symbol, waitMs, atMs } = wait;
  const outcome = kind === "ok" ? "OK" : "BLOCK";
  const head = { at_ms: atMs, outcome, plan_id: planId, symbol, wait_ms: waitMs };
  if (wait.kind === "ok") return { ...head, safe_qty: wait.safeQty };
  return { ...head, reason: wait.reason, detail: wait.detail };
}
