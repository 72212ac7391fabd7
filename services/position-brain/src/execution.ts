/** Reads an executed order from a result: from our fields, or from the steps of the Python executor. */
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
 * `arrivedMs` is used if the result has no time, and as its upper limit. Otherwise an execution from the future would
 * stay the latest one, and its cooldown and recent fills would last until that time has passed.
 */
export function executionOf(result: ResultEntry, arrivedMs: number): Execution {
  const step = result.steps_results.map((step) => orderStep.safeParse(step).data).findLast(Boolean);
  const qty = decimal.test(result.executed_qty) ? result.executed_qty : step?.executed_qty;
  const toldMs = result.settled_at_ms ?? (result.timestamp ?? Number.NaN) * 1000;
  return {
    planId: result.plan_id,
    orderId: result.order_id === "" ? (step?.order_id ?? "") : result.order_id,
    side: step?.side ?? "",
    // Without a quantity, nothing shows when its fills are complete, only that the order was executed.
    qty: qty ?? "0",
    // Integers, as in the ledger's hash.
    atMs: toldMs <= arrivedMs ? Math.max(0, Math.floor(toldMs)) : arrivedMs,
  };
}
