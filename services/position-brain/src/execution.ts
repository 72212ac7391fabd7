/** What an executed result says of its order: in fields of ours, or in the steps that the Python executor writes. */
import type { ResultEntry } from "@quantum/contract";
import { z } from "zod";
import type { Execution } from "./pair.ts";

const orderStep = z.object({
  order_id: z.string().regex(/^\d+$/),
  side: z.enum(["BUY", "SELL"]),
  executed_qty: z.string().regex(/^\d+(\.\d+)?$/),
});

const decimal = /^\d+(\.\d+)?$/;

/**
 * `arrivedMs` stands in for the time where the result has none, and bounds it where it is later: an execution from the
 * future would stay the latest, in its cooldown, and its fills recent, for as long as that future is away.
 */
export function executionOf(result: ResultEntry, arrivedMs: number): Execution {
  const step = result.steps_results.map((step) => orderStep.safeParse(step).data).findLast(Boolean);
  const qty = decimal.test(result.executed_qty) ? result.executed_qty : step?.executed_qty;
  const toldMs = result.settled_at_ms ?? (result.timestamp ?? Number.NaN) * 1000;
  return {
    planId: result.plan_id,
    orderId: result.order_id === "" ? (step?.order_id ?? "") : result.order_id,
    side: step?.side ?? "",
    // Without a quantity there is no telling when its fills are complete, only that the order was executed.
    qty: qty ?? "0",
    // Whole, as the ledger's hash holds it.
    atMs: toldMs <= arrivedMs ? Math.max(0, Math.floor(toldMs)) : arrivedMs,
  };
}
