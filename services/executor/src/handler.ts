/**
 * One `apply.execute` entry becomes at most one order (I1), in this order of I/O:
 *
 * 1. Its symbol must belong to this partition. Its permits are verified. What is not signed by the issuers, for this plan, place and time, is never sent, and
 *    touches nothing, unless it is the very entry that the permits were spent for: then it ends the plan.
 * 2. The symbol is announced, so that recovery finds the claim whatever happens next. The answer also proves that the
 *    connection leads to the Redis whose memory is judged in step 3.
 * 3. Whether it may have been sent already: it was delivered before, Redis may have lost its claim, it is in the journal, or
 *    its permits are older than the journal or the ownership (ask-first.ts). If so it is held: queried, never sent.
 * 4. The venue's clock is read, then the claim is made: the send window that stands in Redis opens no later than the
 *    one the venue sees. Only the owner of the orders claims.
 *    With EXECUTOR_MIN_REPLICAS, that many replicas must have it (replication.ts), or the plan ends here.
 * 5. The order is written to the journal, on disk: if Redis forgets it, it is queried by this (lost-claims.ts).
 * 6. The order is sent, once, only by the caller whose claim was new.
 * 7. Its answer or its event settles it, whichever says first that it is closed (order-events.ts). If neither does and the
 *    order was acknowledged, it is queried at once. Whatever is still open, and every ambiguous answer, is in doubt: the
 *    resolver queries it. The order is never sent again.
 *
 * An operator's plan has an order of its own (exit/close.ts); it shares the last steps (steps.ts).
 */
import { describeIssues, executeEntry, type OrderReason } from "@quantum/contract";
import type { Exchange, RuleBook } from "@quantum/exchange";
import type { Disposition, Entry } from "@quantum/streams";
import { mustAskFirst } from "./ask-first.ts";
import { orderIntent } from "./decide.ts";
import type { ExecutorEvents } from "./events.ts";
import type { Exits } from "./exit/exits.ts";
import { exitClassOf } from "./exit/verify-exit.ts";
import type { PartitionJournal } from "./journal.ts";
import { orderOf, refOf } from "./order.ts";
import { startOrderClock } from "./order-clock.ts";
import type { Orders } from "./orders.ts";
import type { Ownership } from "./ownership.ts";
import type { RedisMemory } from "./redis-memory.ts";
import type { Replication } from "./replication.ts";
import { NOT_OWNER, type Steps } from "./steps.ts";
import { type Trust, verifyPermits } from "./verify.ts";

/**
 * Whoever can write to Redis can repeat an entry in another partition, which another executor may own: its journal does not know
 * the plan.
 */
function elsewhere(symbol: string): Disposition {
  return { kind: "dead", reason: `${symbol} belongs to another partition` };
}

export interface HandlerOptions {
  orders: Orders;
  exchange: Exchange;
  rules: RuleBook;
  memory: RedisMemory;
  replication: Replication;
  events: ExecutorEvents;
  recvWindowMs: number;
  trust: Trust;
  journal: PartitionJournal;
  ownership: Pick<Ownership, "sinceMs">;
  /** Redis's clock, in ms. */
  now: () => number;
  steps: Steps;
  /** Handles operators' plans. */
  exits: Exits;
  /** Whether this partition has the symbol's orders. */
  isHere: (symbol: string) => boolean;
}

export function createHandler(options: HandlerOptions): (entry: Entry) => Promise<Disposition> {
  const { orders, exchange, rules, memory, replication, events, recvWindowMs, trust, now } = options;
  const { journal, ownership, steps, exits, isHere } = options;

  return async ({ id: entryId, fields, deliveries }) => {
    const parsed = executeEntry.safeParse(fields);
    if (!parsed.success) return { kind: "dead", reason: describeIssues(parsed.error) };
    const entry = parsed.data;
    const exitClass = exitClassOf(entry);
    // A drill has no symbol, and sends nothing.
    if (exitClass !== "drill" && !isHere(entry.symbol)) return elsewhere(entry.symbol);
    const { sinceMs: ownerSinceMs } = ownership;
    if (ownerSinceMs === undefined) return NOT_OWNER;
    if (exitClass !== undefined) return exits({ entryId, entry, deliveries, ownerSinceMs });
    const verified = verifyPermits(entry, trust, now());
    const flaw = verified.kind === "flawed" ? verified : undefined;

    await memory.announce(flaw === undefined ? entry.symbol : undefined);
    const amounts = verified.kind === "verified" ? verified.amounts : entry;
    // Whoever wrote the entry may shorten what the issuers signed, and not lengthen it.
    const untilMs = verified.kind === "verified" ? verified.untilMs : entry.valid_until_ms;
    const valid_until_ms = Math.min(entry.valid_until_ms, untilMs);
    const intent = orderIntent({ ...entry, ...amounts }, await rules.of(entry.symbol));
    const order = orderOf(entryId, entry, intent);
    const venueMs = exchange.now();
    const request = {
      entryId,
      entry: { ...entry, ...amounts, valid_until_ms },
      intent,
      clientOrderId: order.clientOrderId,
      venueMs,
      isVerified: flaw === undefined,
    };
    const issuedMs = (verified.kind === "verified" ? verified.issuedMs : undefined) ?? entry.opened_at_ms;
    const asksFirst = mustAskFirst({ planId: entry.plan_id, issuedMs }, { journal, ownerSinceMs });
    const mayBeSent = deliveries > 1 || memory.mayHaveForgotten(entry) || asksFirst;
    const proof = replication.beforeClaim();
    const claimed = mayBeSent
      ? await orders.hold(request)
      : await orders.claim({
          ...request,
          windowMs: recvWindowMs,
          refusal: flaw?.reason ?? intent.refusal ?? hindrance(),
          detail: flaw?.why ?? "",
          signatures: verified.signatures,
        });
    if (flaw !== undefined && claimed.kind !== "not_owner")
      events.emit("distrusted", { ...refOf(entry), ...flaw, entryId });
    if (claimed.kind !== "claimed")
      return steps.unclaimed(claimed, order, flaw && `${flaw.reason}: ${flaw.why}`);
    const clock = startOrderClock(order, events, now);
    clock("claimed");
    // Redis may have been replaced between the question and the claim; then the claim proves nothing.
    if (await memory.mayHaveForgottenBefore(entry)) return steps.inDoubt(order, "claimed_before");

    const window = { openedMs: venueMs, lengthMs: claimed.windowMs };
    const permitted = { positionAmt: amounts.position_amt, cappedByVenue: intent.cappedByVenue };
    const unsent = (await steps.replicated(order, proof)) ?? (await steps.record(order, window, permitted));
    if (unsent !== undefined) return unsent;
    const answer = await steps.send(order, window, clock);
    return steps.settle(order, answer, clock);
  };

  /** What keeps any order from being sent now, or empty. Then the order counts for the exchange's limits. */
  function hindrance(): OrderReason | "" {
    if (exchange.pause("orders") !== undefined) return "rate_limited";
    if (journal.problems().length > 0) return "journal_failed";
    return exchange.reserveOrder() ? "" : "venue_budget";
  }
}
