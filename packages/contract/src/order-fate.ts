/**
 * The fate of the plan's order according to a result, ours or Python's. Source: docs/wire.md, "Beside the Python services".
 *
 * Our results have an outcome. The Python apply-layer writes `executed=True` for whatever it let through, so only the status of
 * its steps counts, and it writes a result without a reason for a plan that it had handled before.
 */
import type { ResultEntry } from "./messages.ts";

export type OrderFate =
  | "executed"
  /** A step failed, but the order may have been placed. */
  | "ambiguous"
  | "none"
  /** The result does not show whether there is an order. */
  | "untold";

export function orderFate({ outcome, decision, steps_results: steps, error }: ResultEntry): OrderFate {
  if (outcome !== undefined) return outcome === "EXECUTED" ? "executed" : "none";
  const statuses = steps.map(({ status }) => status);
  if (statuses.includes("error")) return "ambiguous";
  if (statuses.includes("success")) return "executed";
  // SKIP `duplicate_plan`: the reason is in the plan's entry, not here.
  const isRepetition =
    decision === "SKIP" && steps.length === 0 && (error === "" || error === "duplicate_plan");
  return isRepetition ? "untold" : "none";
}

/** The exchange's ids of a result's orders. */
export function orderIds({ order_id, steps_results }: ResultEntry): string[] {
  const steps = steps_results.filter(({ status }) => status === "success");
  const ids = order_id === "" ? steps.map((step) => step["order_id"]) : [order_id];
  return ids.filter((id): id is string => typeof id === "string" && /^\d+$/.test(id));
}
