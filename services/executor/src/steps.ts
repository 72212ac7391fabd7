/**
 * The steps that ordinary orders (handler.ts) and exits (exit/close.ts) share: the journal, the send, the settlement, and
 * what becomes of an order that is not sent. Only here is an order sent.
 */
import { concernOf, type Exchange, type OrderRequest, type RuleBook } from "@quantum/exchange";
import { type Disposition, DONE } from "@quantum/streams";
import {
  afterAcknowledgement,
  afterPlacement,
  type Doubt,
  type NextStep,
  notJournaled,
  notReplicated,
  type SettledBy,
} from "./decide.ts";
import type { ExecutorEvents } from "./events.ts";
import { priced, queryById } from "./evidence.ts";
import type { PartitionJournal } from "./journal.ts";
import type { ClaimedOrder } from "./order.ts";
import type { OrderClock } from "./order-clock.ts";
import type { OrderEvents } from "./order-events.ts";
import type { Claimed, Orders } from "./orders.ts";
import type { ReplicationProof } from "./replication.ts";

/** The entry stays pending; the owner reclaims it. */
export const NOT_OWNER: Disposition = { kind: "retry", reason: "this executor does not own the orders" };

export interface StepOptions {
  orders: Orders;
  orderEvents: Pick<OrderEvents, "firstWord">;
  exchange: Exchange;
  rules: RuleBook;
  journal: PartitionJournal;
  events: ExecutorEvents;
  /** Schedules the queries for orders in doubt. */
  resolve: () => void;
  /** Redis's clock, in ms. */
  now: () => number;
}

/** When an order may arrive at the venue, by its clock, in ms. */
export interface SendWindow {
  openedMs: number;
  lengthMs: number;
}

/** What else the journal needs to know of an order. */
export interface Permitted {
  /** The position that it closes, or a part of it; "" if it is not known. */
  positionAmt: string;
  cappedByVenue?: boolean | undefined;
  class?: "operator";
}

/** What is known of an order once it was sent. */
export type Answer = Exclude<NextStep, { kind: "query" }> & { by: SettledBy };
export type Steps = ReturnType<typeof createSteps>;

export function createSteps(options: StepOptions) {
  const { orders, orderEvents, exchange, rules, journal, events, resolve, now } = options;

  /** @param why what is wrong with the entry, for one that `spent` does not name */
  async function unclaimed(
    claimed: Exclude<Claimed, { kind: "claimed" }>,
    order: ClaimedOrder,
    why: string | undefined,
  ): Promise<Disposition> {
    switch (claimed.kind) {
      case "not_owner":
        return NOT_OWNER;
      case "ended":
        return DONE;
      case "unspent":
        return { kind: "dead", reason: why ?? "permits_not_spent" };
      case "held":
      default:
        return inDoubt(order, "claimed_before");
    }
  }

  /** @returns what becomes of the entry if too few replicas have its claim */
  async function replicated(order: ClaimedOrder, proof: ReplicationProof): Promise<Disposition | undefined> {
    const flaw = await proof();
    if (flaw === undefined) return undefined;
    await orders.settle(order, notReplicated(flaw), "unsent");
    return DONE;
  }

  /**
   * Writes the order to the journal, on disk. Only then may it be sent.
   * @returns what becomes of the entry if it must not be sent
   */
  async function record(
    order: ClaimedOrder,
    { openedMs, lengthMs }: SendWindow,
    { positionAmt, cappedByVenue, class: exitClass }: Permitted,
  ): Promise<Disposition | undefined> {
    const { planId, attempt, clientOrderId, symbol, step, side, quantity } = order;
    const recorded = journal.record({
      planId,
      attempt,
      clientOrderId,
      atMs: now(),
      order: {
        ...{ symbol, step, side, quantity, positionAmt },
        ...{ venueMs: openedMs, windowMs: lengthMs },
        cappedByVenue: cappedByVenue === true ? "1" : "0",
        class: exitClass ?? "",
      },
    });
    const isFirst = await recorded.catch((error: Error) => error);
    if (isFirst instanceof Error) {
      await orders.settle(order, notJournaled(isFirst.message), "unsent");
      return DONE;
    }
    return isFirst ? undefined : inDoubt(order, "claimed_before");
  }

  /** Sends the order, once. An order that was only acknowledged is queried at once. */
  async function send(
    order: ClaimedOrder,
    { openedMs, lengthMs }: SendWindow,
    clock: OrderClock,
  ): Promise<Answer> {
    clock("sent");
    const { planId, symbol, step, side, quantity, clientOrderId } = order;
    events.emit("claimed", { planId, symbol, step, side, quantity, clientOrderId });
    const request = {
      symbol,
      side,
      quantity,
      clientOrderId,
      timestampMs: openedMs,
      recvWindowMs: lengthMs,
    };
    const first = await orderEvents.firstWord(order, () => place(request));
    clock("answered", { "quantum.by": first.by });
    if (first.kind !== "query") return first;
    const queried = await queryById(exchange, symbol, first.orderId);
    return { ...afterAcknowledgement(queried, first.status), by: "query" };
  }

  async function place(request: OrderRequest): Promise<NextStep> {
    const placement = await exchange.placeReduceOnlyMarket(request);
    if (placement.outcome === "retry_after") {
      events.emit("paused", { pauseMs: placement.retryAfterMs, why: placement.message });
    }
    if (placement.outcome === "rejected" && concernOf(placement.code) === "rules") rules.readAgain();
    return afterPlacement(placement);
  }

  async function settle(order: ClaimedOrder, answer: Answer, clock: OrderClock): Promise<Disposition> {
    if (answer.kind === "doubt") return inDoubt(order, answer.doubt, answer.detail);
    await orders.settle(order, await priced(exchange, order.symbol, answer.settlement), answer.by);
    clock("settled");
    return DONE;
  }

  async function inDoubt(order: ClaimedOrder, doubt: Doubt, detail = ""): Promise<Disposition> {
    if (await orders.doubt(order, doubt, detail)) resolve();
    return DONE;
  }

  return { unclaimed, replicated, record, send, settle, inDoubt };
}
