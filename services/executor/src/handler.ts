/**
 * One `apply.execute` entry becomes at most one order (I1), in this order of I/O:
 *
 * 1. Its permits are verified. What is not signed by the issuers, for this plan, place and time, is never sent, and
 *    touches nothing, unless it is the very entry that the permits were spent for: then it ends the plan.
 * 2. The symbol is announced, so that recovery finds the claim whatever happens next. The answer also proves that the
 *    connection leads to the Redis whose memory is judged in step 3.
 * 3. Whether it may have been sent already: it was delivered before, Redis may have lost its claim, it is in the journal, or
 *    its permits are older than the journal or the ownership (ask-first.ts). If so it is held: queried, never sent.
 * 4. The venue's clock is read, then the claim is made: the send window that stands in Redis opens no later than the
 *    one the venue sees. Only the owner of the orders claims.
 * 5. The plan is written to the journal, on disk.
 * 6. The order is sent, once, only by the caller whose claim was new.
 * 7. Its answer or its event settles it, whichever says first that it is closed (order-events.ts). If neither does and the
 *    order was acknowledged, it is queried at once. Whatever is still open, and every ambiguous answer, is in doubt: the
 *    resolver queries it. The order is never sent again.
 */
import { describeIssues, executeEntry, type ExecuteEntry, type OrderReason } from "@quantum/contract";
import { clientOrderId, concernOf, type Exchange, type OrderRequest, type RuleBook } from "@quantum/exchange";
import { type Disposition, DONE, type Entry } from "@quantum/streams";
import { mustAskFirst } from "./ask-first.ts";
import {
  afterAcknowledgement,
  afterPlacement,
  type Doubt,
  type NextStep,
  notJournaled,
  orderIntent,
} from "./decide.ts";
import type { ExecutorEvents } from "./events.ts";
import { priced, queryById } from "./evidence.ts";
import type { Journal } from "./journal.ts";
import type { ClaimedOrder, OrderRef } from "./order.ts";
import type { OrderEvents } from "./order-events.ts";
import type { Orders } from "./orders.ts";
import type { Ownership } from "./ownership.ts";
import type { RedisMemory } from "./redis-memory.ts";
import { type Trust, verifyPermits } from "./verify.ts";

/** The entry stays pending; the owner reclaims it. */
const NOT_OWNER: Disposition = { kind: "retry", reason: "this executor does not own the orders" };

export interface HandlerOptions {
  orders: Orders;
  orderEvents: Pick<OrderEvents, "firstWord">;
  exchange: Exchange;
  rules: RuleBook;
  memory: RedisMemory;
  events: ExecutorEvents;
  /** Schedules the queries for orders in doubt. */
  resolve: () => void;
  recvWindowMs: number;
  trust: Trust;
  journal: Journal;
  ownership: Pick<Ownership, "sinceMs">;
  /** Redis's clock, in ms. */
  now: () => number;
}

export function createHandler(options: HandlerOptions): (entry: Entry) => Promise<Disposition> {
  const { orders, orderEvents, exchange, rules, memory, events, resolve, recvWindowMs, trust, now } = options;
  const { journal, ownership } = options;

  return async ({ id: entryId, fields, deliveries }) => {
    const parsed = executeEntry.safeParse(fields);
    if (!parsed.success) return { kind: "dead", reason: describeIssues(parsed.error) };
    const entry = parsed.data;
    const { sinceMs: ownerSinceMs } = ownership;
    if (ownerSinceMs === undefined) return NOT_OWNER;
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
    const claimed = mayBeSent
      ? await orders.hold(request)
      : await orders.claim({
          ...request,
          windowMs: recvWindowMs,
          refusal: flaw?.reason ?? intent.refusal ?? hindrance(),
          detail: flaw?.why ?? "",
          signatures: verified.signatures,
        });
    if (claimed.kind === "not_owner") return NOT_OWNER;
    if (flaw !== undefined) events.emit("distrusted", { ...refOf(entry), ...flaw, entryId });
    switch (claimed.kind) {
      case "ended":
        return DONE;
      case "unspent":
        return {
          kind: "dead",
          reason: flaw === undefined ? "permits_not_spent" : `${flaw.reason}: ${flaw.why}`,
        };
      case "held":
        return inDoubt(order, "claimed_before");
      case "claimed":
    }
    // Redis may have been replaced between the question and the claim; then the claim proves nothing.
    if (memory.mayHaveForgotten(entry)) return inDoubt(order, "claimed_before");

    const { planId, symbol, step, attempt, side, quantity, clientOrderId } = order;
    const recorded = journal.record({ planId, attempt, clientOrderId, atMs: now() });
    const isFirst = await recorded.catch((error: Error) => error);
    if (isFirst instanceof Error) {
      await orders.settle(order, notJournaled(isFirst.message), "unsent");
      return DONE;
    }
    if (!isFirst) return inDoubt(order, "claimed_before");
    events.emit("claimed", { planId, symbol, step, side, quantity, clientOrderId });
    const first = await orderEvents.firstWord(order, () =>
      send({
        symbol,
        side: intent.side,
        quantity,
        clientOrderId,
        timestampMs: venueMs,
        recvWindowMs: claimed.windowMs,
      }),
    );
    const next =
      first.kind === "query"
        ? {
            ...afterAcknowledgement(await queryById(exchange, symbol, first.orderId), first.status),
            by: "query" as const,
          }
        : first;
    if (next.kind === "doubt") return inDoubt(order, next.doubt, next.detail);
    await orders.settle(order, await priced(exchange, symbol, next.settlement), next.by);
    return DONE;
  };

  async function send(request: OrderRequest): Promise<NextStep> {
    const placement = await exchange.placeReduceOnlyMarket(request);
    if (placement.outcome === "retry_after") {
      events.emit("paused", { pauseMs: placement.retryAfterMs, why: placement.message });
    }
    if (placement.outcome === "rejected" && concernOf(placement.code) === "rules") rules.readAgain();
    return afterPlacement(placement);
  }

  /** What keeps any order from being sent now, or empty. Then the order counts for the exchange's limits. */
  function hindrance(): OrderReason | "" {
    if (exchange.pause("orders") !== undefined) return "rate_limited";
    if (journal.problems().length > 0) return "journal_failed";
    return exchange.reserveOrder() ? "" : "venue_budget";
  }

  async function inDoubt(order: ClaimedOrder, doubt: Doubt, detail = ""): Promise<Disposition> {
    if (await orders.doubt(order, doubt, detail)) resolve();
    return DONE;
  }
}

function refOf({ plan_id: planId, symbol, step }: ExecuteEntry): OrderRef {
  return { planId, symbol, step };
}

function orderOf(
  entryId: string,
  entry: ExecuteEntry,
  { side, quantity }: { side: string; quantity: string },
): ClaimedOrder {
  return {
    ...refOf(entry),
    attempt: entry.attempt,
    entryId,
    clientOrderId: clientOrderId(entry.plan_id, entry.attempt_no),
    side,
    quantity,
  };
}
