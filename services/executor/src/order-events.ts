/**
 * What the account's user data stream says about our orders. It only saves time: an order that no event settles is
 * queried as without a stream, and a missing event proves nothing.
 *
 * Only an event that reports the order as closed counts, so the order of events does not matter. An event that comes
 * twice, or after the answer, finds the order settled (`lua/orders/settle`).
 */
import type { EventEmitter } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import {
  type AccountStream,
  type AccountStreamEvents,
  distrustIfDeaf,
  type Exchange,
  isClosed,
  type OrderEvent,
  planIdOf,
} from "@quantum/exchange";
import { type NextStep, type SettledBy, settlementOf } from "./decide.ts";
import type { ExecutorEvents } from "./events.ts";
import { priced } from "./evidence.ts";
import type { ClaimedOrder } from "./order.ts";
import type { Orders } from "./orders.ts";
import type { Ownership } from "./ownership.ts";
import type { Queries } from "./queries.ts";

/**
 * How long an order whose answer leaves it in doubt waits for its event before it is queried. The venue's events follow
 * their execution within some 10 ms; a query is as cheap as a long wait.
 */
const EVENT_WAIT_MS = 250;

export interface OrderEventsOptions {
  stream: EventEmitter<AccountStreamEvents> &
    Pick<AccountStream, "isUp" | "upSinceMs" | "lastEventAtMs" | "distrust">;
  /** Where a symbol's orders are recorded. */
  of: (symbol: string) => { orders: Orders; queries: Queries; ownership: Pick<Ownership, "sinceMs"> };
  exchange: Exchange;
  events: ExecutorEvents;
}

interface Waiting {
  symbol: string;
  heard: (event: OrderEvent) => void;
}

export class OrderEvents {
  readonly #options: OrderEventsOptions;
  /** This process's orders whose answer has not settled them yet, by client order id. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #settling = new Set<Promise<void>>();

  constructor(options: OrderEventsOptions) {
    this.#options = options;
    options.stream.on("order", this.#onEvent);
  }

  async stop(): Promise<void> {
    this.#options.stream.off("order", this.#onEvent);
    await this.idle();
  }

  /** Resolves once what was heard so far is settled. */
  async idle(): Promise<void> {
    await Promise.all(this.#settling);
  }

  /**
   * Sends an order, and waits for whichever says first how it ended: its answer or its event. If the answer leaves it in
   * doubt, its event gets a little longer, while the stream is up.
   */
  async firstWord(
    { symbol, clientOrderId }: Pick<ClaimedOrder, "symbol" | "clientOrderId">,
    send: () => Promise<NextStep>,
  ): Promise<NextStep & { by: SettledBy }> {
    const closed = Promise.withResolvers<OrderEvent>();
    const event = closed.promise.then((said) => ({
      kind: "settle" as const,
      settlement: settlementOf(said),
      by: "event" as const,
    }));
    const sinceMs = performance.now();
    // Before the order is sent: the event may come before the answer.
    this.#waiting.set(clientOrderId, { symbol, heard: closed.resolve });
    try {
      const answer = send().then((next) => ({ ...next, by: "answer" as const }));
      const first = await Promise.race([event, answer]);
      const { stream } = this.#options;
      if (first.kind === "settle" || !stream.isUp) return first;
      const last = await Promise.race([event, delay(EVENT_WAIT_MS, first, { ref: false })]);
      // The exchange has taken the order, which is an event as well.
      if (last.kind === "query") distrustIfDeaf(stream, sinceMs);
      return last;
    } finally {
      // From here on its record in Redis decides what an event means.
      this.#waiting.delete(clientOrderId);
    }
  }

  readonly #onEvent = (event: OrderEvent): void => {
    if (!isClosed(event)) return;
    const waiting = this.#waiting.get(event.clientOrderId);
    if (waiting?.symbol === event.symbol) {
      waiting.heard(event);
      return;
    }
    const settling: Promise<void> = this.#settleByRecord(event)
      .catch((error: unknown) => this.#failed(event, error as Error))
      .finally(() => this.#settling.delete(settling));
    this.#settling.add(settling);
  };

  /**
   * An order that no handler of this process waits for: in doubt, claimed by a process that died, or found after it had
   * ended as absent. Only the owner of the orders settles it; the others' events are the same.
   */
  async #settleByRecord(event: OrderEvent): Promise<void> {
    const { exchange } = this.#options;
    const { orders, queries, ownership } = this.#options.of(event.symbol);
    const planId = planIdOf(event.clientOrderId);
    if (planId === undefined || ownership.sinceMs === undefined) return;
    const order = await queries.read(planId);
    if (order?.clientOrderId !== event.clientOrderId || order.symbol !== event.symbol) return;
    const settlement = await priced(exchange, order.symbol, settlementOf(event));
    if (order.state !== "NOT_PLACED") await orders.settle(order, settlement, "event");
    // An order that never filled needs no correction.
    else if (settlement.outcome === "EXECUTED") await queries.adopt(order, settlement);
  }

  #failed({ clientOrderId }: OrderEvent, error: Error): void {
    this.#options.events.emit("failed", { doing: `settle ${clientOrderId} by its event`, error });
  }
}
