/**
 * One `apply.execute` entry becomes at most one order (I1), in this order of I/O:
 *
 * 1. The symbol is announced, so that recovery finds the claim whatever happens next. The answer also proves that the
 *    connection leads to the Redis whose memory is judged in step 2.
 * 2. Redis's memory: an entry that was delivered before, or whose proposal is older than what Redis knows for certain,
 *    may have been sent by a claim that is gone. It is claimed only to be queried.
 * 3. The venue's clock is read, then the claim is made: the send window that stands in Redis opens no later than the
 *    one the venue sees.
 * 4. The order is sent, once, only by the caller whose claim was new.
 * 5. Its answer settles it. Whatever leaves doubt is resolved by questions, never by sending again.
 */
import { describeIssues, executeEntry, type ExecuteEntry } from "@quantum/contract";
import { clientOrderId, concernOf, type Exchange, type RuleBook } from "@quantum/exchange";
import { type Disposition, DONE, type Entry } from "@quantum/streams";
import { afterPlacement, type Doubt, orderIntent } from "./decide.ts";
import type { ExecutorEvents } from "./events.ts";
import type { ClaimedOrder } from "./order.ts";
import type { Orders } from "./orders.ts";
import type { RedisMemory } from "./redis-memory.ts";

export interface HandlerOptions {
  orders: Orders;
  exchange: Exchange;
  rules: RuleBook;
  memory: RedisMemory;
  events: ExecutorEvents;
  /** Schedules the queries for orders in doubt. */
  resolve: () => void;
  recvWindowMs: number;
  simulatedVenue: boolean;
}

export function createHandler(options: HandlerOptions): (entry: Entry) => Promise<Disposition> {
  const { orders, exchange, rules, memory, events, resolve, recvWindowMs, simulatedVenue } = options;

  return async ({ id: entryId, fields, deliveries }) => {
    const parsed = executeEntry.safeParse(fields);
    if (!parsed.success) return { kind: "dead", reason: describeIssues(parsed.error) };
    const entry = parsed.data;

    await memory.announce(entry.symbol);
    const mayBeSent = deliveries > 1 || memory.mayHaveForgotten(entry);
    const intent = orderIntent(entry, await rules.of(entry.symbol), simulatedVenue);
    const order = orderOf(entryId, entry, intent);
    const isPaused = exchange.pause("orders") !== undefined;
    const venueMs = exchange.now();
    const claimed = await orders.claim({
      entryId,
      entry,
      intent,
      clientOrderId: order.clientOrderId,
      venueMs,
      windowMs: recvWindowMs,
      refusal: intent.refusal ?? (isPaused && !mayBeSent ? "rate_limited" : ""),
      mayBeSent,
    });
    switch (claimed.kind) {
      case "ended":
        return DONE;
      case "unspent":
        return { kind: "dead", reason: "permits_not_spent" };
      case "held":
        return inDoubt(order, "claimed_before");
      case "claimed":
    }
    // Redis may have been replaced between the question and the claim; then the claim proves nothing.
    if (memory.mayHaveForgotten(entry)) return inDoubt(order, "claimed_before");

    const { planId, symbol, step, side, quantity } = order;
    events.emit("claimed", { planId, symbol, step, side, quantity, clientOrderId: order.clientOrderId });
    const placement = await exchange.placeReduceOnlyMarket({
      symbol,
      side: intent.side,
      quantity,
      clientOrderId: order.clientOrderId,
      timestampMs: venueMs,
      recvWindowMs: claimed.windowMs,
    });
    if (placement.outcome === "retry_after") {
      events.emit("paused", { pauseMs: placement.retryAfterMs, why: placement.message });
    }
    if (placement.outcome === "rejected" && concernOf(placement.code) === "rules") rules.readAgain();
    const next = afterPlacement(placement);
    if (next.kind === "doubt") return inDoubt(order, next.doubt, next.detail);
    await orders.settle(order, next.settlement);
    return DONE;
  };

  async function inDoubt(order: ClaimedOrder, doubt: Doubt, detail = ""): Promise<Disposition> {
    if (await orders.doubt(order, doubt, detail)) resolve();
    return DONE;
  }
}

function orderOf(
  entryId: string,
  entry: ExecuteEntry,
  { side, quantity }: { side: string; quantity: string },
): ClaimedOrder {
  return {
    planId: entry.plan_id,
    symbol: entry.symbol,
    step: entry.step,
    attempt: entry.attempt,
    entryId,
    clientOrderId: clientOrderId(entry.plan_id, entry.attempt_no),
    side,
    quantity,
  };
}
