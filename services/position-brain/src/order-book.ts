/**
 * The orders of one symbol, as the events tell: what open reduce-only orders may still close, whether an order has filled
 * more than was told, and what our own orders have executed. Pure. Events may come in any order and more than once.
 */
import { isClosed, type OrderEvent, type OrderState, planIdOf } from "@quantum/exchange";
import { Big } from "big.js";
import type { BookedOrder, Execution } from "./pair.ts";

/** A closed order is remembered this long: an older event of it would open it again. */
const CLOSED_FOR_MS = 60_000;
/** Results name their order. A result that comes later than this many further orders asks the exchange. */
export const BOOKED_MAX = 16;

interface Known {
  readonly side: string;
  readonly reduceOnly: boolean;
  /** Undefined while no event has told it. */
  origQty: Big | undefined;
  /** The highest total that an event, or the exchange's list, has named. */
  executed: Big;
  /** The total from which on every fill must have been told. */
  from: Big;
  /** The sum of the fills told since. */
  told: Big;
  closed: boolean;
  /** When the last event arrived, by performance.now(). */
  arrivedAtMs: number;
  /** The engine's time of `origQty`, which an amendment changes. */
  timeMs: number;
}

export class OrderBook {
  readonly #open = new Map<string, Known>();
  /** In the order of their closing. */
  readonly #closed = new Map<string, Known>();
  /** Orders that have filled more than was told, or whose size is not known. */
  readonly #untold = new Set<string>();
  /** What our last orders have executed, the newest last. */
  readonly #booked = new Map<string, string>();
  #execution: Execution | undefined;

  /** `isNewFill`: its fill has not been told before. */
  add(event: OrderEvent, isNewFill: boolean, { nowMs, epochMs }: { nowMs: number; epochMs: number }): void {
    const { orderId } = event;
    const order = this.#open.get(orderId) ?? this.#closed.get(orderId) ?? newOrder(event);
    order.arrivedAtMs = nowMs;
    const executed = Big(event.executedQty);
    const hasMore = executed.gt(order.executed);
    if (hasMore) order.executed = executed;
    if (event.timeMs >= order.timeMs) {
      order.timeMs = event.timeMs;
      if (event.origQty !== "") order.origQty = Big(event.origQty);
    }
    // Fills up to `from` were counted before.
    if (isNewFill && event.fill && executed.gt(order.from)) order.told = order.told.plus(event.fill.qty);
    if (isClosed(event)) this.#close(orderId, order);
    else if (!order.closed) this.#open.set(orderId, order);
    this.#note(orderId, order);
    if (hasMore) this.#noteExecution(event, epochMs);
    this.#forget(nowMs);
  }

  /**
   * The exchange's list of open orders, read from `readAtMs` on. What it does not list, and no later event has told, is
   * closed. Everything that orders have filled so far is in the ledger that was read with it.
   */
  begin(listed: readonly OrderState[], readAtMs: number): void {
    const ids = new Set(listed.map(({ orderId }) => orderId));
    for (const [orderId, order] of this.#open) {
      if (!ids.has(orderId) && order.arrivedAtMs < readAtMs) this.#open.delete(orderId);
    }
    for (const state of listed) {
      // An event has closed it since the list was written.
      if (this.#closed.has(state.orderId)) continue;
      const order = this.#open.get(state.orderId) ?? newOrder(state);
      if (Big(state.executedQty).gt(order.executed)) order.executed = Big(state.executedQty);
      this.#open.set(state.orderId, order);
    }
    for (const order of [...this.#open.values(), ...this.#closed.values()]) {
      order.from = order.executed;
      order.told = Big(0);
    }
    this.#untold.clear();
  }

  /** What readings, other replicas and earlier processes have booked. */
  adopt(booked: readonly BookedOrder[]): void {
    for (const { orderId, qty } of booked) {
      const known = this.#booked.get(orderId);
      if (known === undefined || Big(qty).gt(known)) this.#book(orderId, qty);
    }
  }

  /** Whether the events have told every fill that the orders' totals include, and the size of every open order. */
  get isTold(): boolean {
    return this.#untold.size === 0;
  }

  /** Our last execution. */
  get execution(): Execution | undefined {
    return this.#execution;
  }

  get booked(): readonly BookedOrder[] {
    return [...this.#booked].map(([orderId, qty]) => ({ orderId, qty }));
  }

  /** The part of `positionAmt` that open reduce-only orders may still close. */
  openReduceQty(positionAmt: Big): string {
    const closingSide = positionAmt.gt(0) ? "SELL" : "BUY";
    let sum = Big(0);
    for (const { side, reduceOnly, origQty, executed } of this.#open.values()) {
      if (!reduceOnly || side !== closingSide || origQty === undefined) continue;
      if (origQty.gt(executed)) sum = sum.plus(origQty).minus(executed);
    }
    return sum.toFixed();
  }

  #note(orderId: string, order: Known): void {
    const isSizeless = order.origQty === undefined && order.reduceOnly && !order.closed;
    if (isSizeless || order.executed.minus(order.from).gt(order.told)) this.#untold.add(orderId);
    else this.#untold.delete(orderId);
  }

  #close(orderId: string, order: Known): void {
    order.closed = true;
    this.#open.delete(orderId);
    // Its place is that of its last event.
    this.#closed.delete(orderId);
    this.#closed.set(orderId, order);
  }

  #noteExecution({ origin, clientOrderId, orderId, side, executedQty }: OrderEvent, epochMs: number): void {
    const planId = origin === "ours" ? planIdOf(clientOrderId) : undefined;
    if (planId === undefined) return;
    this.#execution = { planId, orderId, side, qty: executedQty, atMs: epochMs };
    this.#book(orderId, executedQty);
  }

  /** An event may be late, and older than what a reading has shown of its order. */
  #book(orderId: string, qty: string): void {
    const known = this.#booked.get(orderId);
    this.#booked.delete(orderId);
    this.#booked.set(orderId, known === undefined || Big(qty).gt(known) ? qty : known);
    if (this.#booked.size <= BOOKED_MAX) return;
    // What is adopted may be older than what events have told before, so the order of arrival does not say.
    const others = [...this.#booked.keys()].filter((other) => other !== orderId);
    this.#booked.delete(others.reduce((oldest, other) => (isOlder(other, oldest) ? other : oldest)));
  }

  #forget(nowMs: number): void {
    for (const [orderId, { arrivedAtMs }] of this.#closed) {
      if (arrivedAtMs > nowMs - CLOSED_FOR_MS) return;
      this.#closed.delete(orderId);
      this.#untold.delete(orderId);
    }
  }
}

/** The exchange counts its orders' ids upwards. A testnet may be reset: then the newest one is known at least. */
function isOlder(orderId: string, other: string): boolean {
  return orderId.length === other.length ? orderId < other : orderId.length < other.length;
}

/** An order that the exchange's list did not have has begun since, so all its fills must be told. */
function newOrder({ side, reduceOnly, origQty }: Pick<OrderState, "side" | "reduceOnly" | "origQty">): Known {
  return {
    side,
    reduceOnly,
    origQty: origQty === "" ? undefined : Big(origQty),
    executed: Big(0),
    from: Big(0),
    told: Big(0),
    closed: false,
    arrivedAtMs: Number.NEGATIVE_INFINITY,
    timeMs: Number.NEGATIVE_INFINITY,
  };
}
