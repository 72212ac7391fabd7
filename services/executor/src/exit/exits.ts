/** Operators' plans: an exit is closed (close.ts), a drill only looks (drill.ts), and neither without its signature. */
import type { Disposition } from "@quantum/streams";
import { mustAskFirst } from "../ask-first.ts";
import { orderOf, refOf } from "../order.ts";
import { createClose } from "./close.ts";
import { createDrill } from "./drill.ts";
import type { ExitEntry, ExitOptions } from "./exit-options.ts";
import { exitAtMost, NO_ORDER } from "./exit-order.ts";
import { exitClassOf, type VerifiedExit, verifyExit } from "./verify-exit.ts";

export type Exits = (exit: ExitEntry) => Promise<Disposition>;

/** @param options `exchange` as its services use it: here its requests are an exit's */
export function createExits(options: ExitOptions): Exits {
  const { orders, exchange, memory, journal, events, steps, trust, now } = options;
  const asExit = { ...options, exchange: exchange.as("exit") };
  const close = createClose(asExit);
  const drill = createDrill(asExit);
  /** The exits that were begun, each with the end of its signature, by Redis's clock in ms. */
  const begun = new Map<string, number>();

  return async (exit) => {
    const { entry } = exit;
    const verified = verifyExit(entry, trust, now());
    const isDrill = exitClassOf(entry) === "drill";
    await memory.announce(verified.kind === "operator" ? entry.symbol : undefined);
    // Of a drill nothing is ever sent.
    if (!isDrill && mayBeSent(exit, verified)) return hold(exit, verified);
    if (verified.kind === "operator" && !isFirst(entry.plan_id, verified.untilMs))
      return hold(exit, verified);
    switch (verified.kind) {
      case "operator":
        return close(exit, verified);
      case "drill":
        return drill(exit, verified);
      case "flawed":
      default:
        return refuse(exit, verified);
    }
  };

  /** As of any plan (handler.ts, step 3). */
  function mayBeSent({ entry, deliveries, ownerSinceMs }: ExitEntry, verified: VerifiedExit): boolean {
    const issuedMs = verified.kind === "flawed" ? entry.opened_at_ms : verified.issuedMs;
    if (deliveries > 1 || memory.mayHaveForgotten({ opened_at_ms: issuedMs })) return true;
    return mustAskFirst({ planId: entry.plan_id, issuedMs }, { journal, ownerSinceMs });
  }

  /**
   * An exit asks the venue, and cancels there, before it is claimed. Whoever repeats its entry, and even deletes what Redis
   * knows of the plan, must not bring that about once more.
   */
  function isFirst(planId: string, untilMs: number): boolean {
    for (const [known, endMs] of begun) if (endMs < now()) begun.delete(known);
    if (begun.has(planId)) return false;
    begun.set(planId, untilMs);
    return true;
  }

  /** Claims it as a question: it is queried, and never sent. */
  async function hold({ entryId, entry }: ExitEntry, verified: VerifiedExit): Promise<Disposition> {
    const flaw = verified.kind === "flawed" ? verified : undefined;
    const intent =
      verified.kind === "operator"
        ? { side: verified.side, quantity: verified.largestQty }
        : exitAtMost(entry);
    const order = orderOf(entryId, entry, intent);
    const held = await orders.hold({
      entryId,
      entry,
      intent,
      clientOrderId: order.clientOrderId,
      venueMs: exchange.now(),
      isVerified: flaw === undefined,
      class: flaw === undefined ? "operator" : flaw.signedAs,
    });
    return steps.unclaimed(held, order, flaw && `${flaw.reason}: ${flaw.why}`);
  }

  /** Ends the plan, if the entry is the one that `spent` names. */
  async function refuse({ entryId, entry }: ExitEntry, flaw: Flawed): Promise<Disposition> {
    const { reason, why, signedAs } = flaw;
    const order = orderOf(entryId, entry, NO_ORDER);
    const claimed = await orders.claim({
      entryId,
      entry,
      intent: NO_ORDER,
      clientOrderId: order.clientOrderId,
      venueMs: exchange.now(),
      windowMs: options.recvWindowMs,
      isVerified: false,
      // A refusal leads to no order: it says what is wrong, and not that there is a halt.
      passesHalts: true,
      class: signedAs,
      refusal: reason,
      detail: why,
      signatures: {},
    });
    // A plan that nobody took in time is no attack.
    if (reason !== "exit_not_enrolled" && reason !== "permit_expired" && claimed.kind !== "not_owner")
      events.emit("distrusted", { ...refOf(entry), reason, why, entryId });
    if (claimed.kind === "claimed") throw new Error("an exit was claimed that is not believed");
    return steps.unclaimed(claimed, order, `${reason}: ${why}`);
  }
}

type Flawed = VerifiedExit & { kind: "flawed" };
