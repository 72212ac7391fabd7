/**
 * A drill does all that an exit of the whole account does, except to cancel and to send: its signature is verified, the
 * account is read, and its plan ends with a report in its record. No executor cancels or sends anything for a drill.
 */
import type { Disposition } from "@quantum/streams";
import { orderOf } from "../order.ts";
import { NO_ORDER } from "./exit-order.ts";
import type { ExitEntry, ExitOptions } from "./exit-options.ts";
import type { VerifiedExit } from "./verify-exit.ts";

/** @param options `exchange` makes requests of class `exit` */
export function createDrill(options: ExitOptions) {
  const { orders, exchange, events, steps, told, state, drillReport } = options;

  return async (
    { entryId, entry }: ExitEntry,
    { operator, untilMs }: VerifiedExit & { kind: "drill" },
  ): Promise<Disposition> => {
    const order = orderOf(entryId, entry, NO_ORDER);
    const report = await drillReport(order.planId, untilMs);
    await told.report(order, report);
    const claimed = await orders.claim({
      entryId,
      entry: { ...entry, valid_until_ms: Math.min(entry.valid_until_ms, untilMs) },
      intent: NO_ORDER,
      clientOrderId: order.clientOrderId,
      venueMs: exchange.now(),
      windowMs: options.recvWindowMs,
      isVerified: true,
      passesHalts: true,
      class: "drill",
      refusal: "exit_drill",
      detail: "",
      signatures: {},
    });
    if (claimed.kind === "claimed") throw new Error("a drill was claimed");
    if (claimed.kind === "ended") {
      const { positions, cancels, hindrances } = report;
      const found = { positions: positions.length, cancels: cancels.length, hindrances };
      events.emit("drilled", { planId: order.planId, operator, ...found });
      // One that could not read the account proves nothing.
      if (report.complete) await state.drilled(operator);
    }
    return steps.unclaimed(claimed, order, undefined);
  };
}
