import { Big } from "big.js";
import type { Side } from "@quantum/exchange";
import { floorToStep } from "@quantum/exchange";
import type { AccountEvents } from "./account-events.ts";
import { clientOrderIdOf, Ids } from "./ids.ts";
import { createPriceWalk, decimalsOf, type SymbolChanges, type SymbolSpec } from "./market.ts";
import {
  isOpen,
  NO_PRICE,
  type Origin,
  type SavedAccount,
  type SavedPosition,
  type SimOrder,
  type SimPosition,
  type SimTrade,
} from "./records.ts";

/** The fields needed to accept an order whose rules have been checked. */
export type Acceptance = Pick<
  SimOrder,
  "side" | "reduceOnly" | "origin" | "origQty" | "timestampMs" | "recvWindowMs"
> & {
  /** Of an order that waits in the book. Undefined for a market order. */
  readonly limitPrice?: string;
  /** Undefined: the sender did not name it. */
  readonly clientOrderId: string | undefined;
};

/** Prices move with time and ids with orders, so that each repeats itself for a seed whatever the other does. */
export interface Randomness {
  readonly prices: () => number;
  readonly fills: () => number;
}

const SPLIT_SHARE = 0.25;

/** One symbol's position, orders and trades. `positionAmt` is the sum of the trades' signed quantities. */
export class SymbolAccount {
  spec: SymbolSpec;
  readonly orders: SimOrder[] = [];
  readonly trades: SimTrade[] = [];
  amount = Big(0);
  #entry = Big(0);
  #updateTimeMs: number;
  readonly #ids: Ids;
  readonly #byClientId = new Map<string, SimOrder>();
  readonly #byOrderId = new Map<string, SimOrder>();
  readonly #open = new Set<SimOrder>();
  readonly #priceAt: (nowMs: number) => Big;
  readonly #random: () => number;
  readonly #now: () => number;
  readonly #events: AccountEvents;

  constructor(
    spec: SymbolSpec,
    random: Randomness,
    now: () => number,
    events: AccountEvents,
    saved: SavedAccount | undefined,
  ) {
    this.spec = spec;
    this.#random = random.fills;
    this.#now = now;
    this.#events = events;
    this.#updateTimeMs = now();
    this.#ids = new Ids(spec.symbol, random.fills);
    this.#priceAt = createPriceWalk(spec, random.prices, now());

    if (saved) {
      this.#restore(saved);
      return;
    }
    // The initial position also comes from a trade, so the trades always explain the position.
    const start = Big(spec.positionAmt);
    if (!start.eq(0)) this.tradeTo(start, "strategy", Big(spec.entryPrice));
  }

  price(): Big {
    return this.#priceAt(this.#now());
  }

  /** The best price that an order on `side` meets. */
  bestPrice(side: Side): Big {
    const { spread, tickSize } = this.spec;
    const mark = this.price();
    if (spread === undefined) return mark;
    const best = side === "BUY" ? mark.times(Big(1).plus(spread)) : mark.times(Big(1).minus(spread));
    return Big(floorToStep(best.toFixed(), tickSize));
  }

  change(changes: SymbolChanges): void {
    this.spec = { ...this.spec, ...changes };
  }

  isInUse(): boolean {
    return !this.amount.eq(0) || this.#open.size > 0;
  }

  openOrders(): SimOrder[] {
    return [...this.#open];
  }

  hasOpen(clientOrderId: string): boolean {
    return this.openOrders().some((order) => order.clientOrderId === clientOrderId);
  }

  /** The latest order with this client order id, if the id was reused. */
  byClientOrderId(clientOrderId: string): SimOrder | undefined {
    return this.#byClientId.get(clientOrderId);
  }

  byOrderId(orderId: string): SimOrder | undefined {
    return this.#byOrderId.get(orderId);
  }

  /** What an order on `side` would close; below 0 if it would enlarge the position. */
  closable(side: Side): Big {
    return side === "SELL" ? this.amount : this.amount.times(-1);
  }

  /** What a reduce-only order on `side` can still close: the position minus what open orders will close. */
  reducible(side: Side): Big {
    const committed = this.openOrders()
      .filter((order) => order.reduceOnly && order.side === side)
      .reduce((sum, order) => sum.plus(order.origQty).minus(order.executedQty), Big(0));
    const left = this.closable(side).minus(committed);
    return left.gt(0) ? left : Big(0);
  }

  accept({ limitPrice, ...acceptance }: Acceptance): SimOrder {
    const timeMs = this.#now();
    const orderId = this.#ids.nextOrderId();
    const order: SimOrder = {
      symbol: this.spec.symbol,
      orderId,
      type: limitPrice === undefined ? "MARKET" : "LIMIT",
      price: limitPrice ?? NO_PRICE,
      ...acceptance,
      clientOrderId: acceptance.clientOrderId ?? clientOrderIdOf(acceptance.origin, orderId, timeMs),
      timeMs,
      status: "NEW",
      executedQty: Big(0).toFixed(decimalsOf(this.spec.stepSize)),
      cumQuote: "0",
      avgPrice: "0.00",
      updateTimeMs: timeMs,
    };
    this.#add(order);
    this.#events.emit("order", order);
    return order;
  }

  /** Executes up to `quantity` of an order and closes it: FILLED, or EXPIRED if some is left. Nothing if it is closed. */
  fill(order: SimOrder, quantity: Big, price = this.bestPrice(order.side)): void {
    if (!this.#open.delete(order)) return;
    const most = order.reduceOnly ? this.reducible(order.side) : quantity;
    const filled = quantity.gt(most) ? most : quantity;
    for (const [part, partPrice] of this.#parts(order, filled, price)) this.#trade(order, part, partPrice);
    if (order.status !== "FILLED") this.#end(order, "EXPIRED");
  }

  /** False if it is closed already. */
  cancel(order: SimOrder): boolean {
    if (!this.#open.delete(order)) return false;
    this.#end(order, "CANCELED");
    return true;
  }

  /** An ordinary market order of the account that changes the position to `target`. */
  tradeTo(target: Big, origin: Origin, price?: Big): void {
    const difference = target.minus(this.amount);
    if (difference.eq(0)) return;
    const quantity = difference.abs();
    const order = this.accept({
      clientOrderId: undefined,
      side: difference.gt(0) ? "BUY" : "SELL",
      reduceOnly: false,
      origin,
      origQty: this.#quantity(quantity),
    });
    this.fill(order, quantity, price);
  }

  /** Changes the position without a trade, like a liquidation that was not reported. */
  setUntraded(target: Big): void {
    this.#moveTo(target, this.price());
    this.#events.emit("moved", this.spec.symbol);
  }

  savedPosition(): SavedPosition {
    return {
      amount: this.amount.toFixed(),
      entry: this.#entry.toFixed(),
      updateTimeMs: this.#updateTimeMs,
    };
  }

  position(): SimPosition {
    const mark = this.price();
    return {
      symbol: this.spec.symbol,
      positionAmt: this.#quantity(this.amount),
      entryPrice: this.#price(this.#entry),
      markPrice: this.#price(mark),
      unrealizedProfit: mark.minus(this.#entry).times(this.amount).toFixed(8),
      leverage: this.spec.leverage,
      updateTimeMs: this.#updateTimeMs,
    };
  }

  #end(order: SimOrder, status: "EXPIRED" | "CANCELED"): void {
    order.status = status;
    order.updateTimeMs = this.#now();
    this.#events.emit("order", order);
  }

  #restore({ orders, trades, position }: SavedAccount): void {
    for (const order of orders) this.#add(order);
    this.trades.push(...trades);
    this.amount = Big(position.amount);
    this.#entry = Big(position.entry);
    this.#updateTimeMs = position.updateTimeMs;
    this.#ids.goOnAfter(orders.at(-1)?.orderId, trades.at(-1)?.id);
  }

  #add(order: SimOrder): void {
    this.orders.push(order);
    this.#byClientId.set(order.clientOrderId, order);
    this.#byOrderId.set(order.orderId, order);
    if (isOpen(order)) this.#open.add(order);
  }

  /** Some orders fill in two trades, one tick apart, so that nobody assumes one trade per order. */
  #parts(order: SimOrder, quantity: Big, price: Big): [Big, Big][] {
    if (quantity.eq(0)) return [];
    const first = Big(floorToStep(quantity.times("0.5").toFixed(), this.spec.stepSize));
    const split = order.origin === "api" && first.gt(0) && this.#random() < SPLIT_SHARE;
    if (!split) return [[quantity, price]];
    return [
      [first, price],
      [quantity.minus(first), price.plus(this.spec.tickSize)],
    ];
  }

  #trade(order: SimOrder, quantity: Big, price: Big): void {
    const timeMs = this.#now();
    const target = this.amount.plus(order.side === "BUY" ? quantity : quantity.times(-1));
    const trade: SimTrade = {
      id: this.#ids.nextTradeId(),
      orderId: order.orderId,
      symbol: order.symbol,
      side: order.side,
      price: this.#price(price),
      qty: this.#quantity(quantity),
      realizedProfit: this.#profitOf(target, price).toFixed(),
      timeMs,
    };
    this.trades.push(trade);
    this.#moveTo(target, price);
    const executed = Big(order.executedQty).plus(quantity);
    order.executedQty = this.#quantity(executed);
    order.cumQuote = Big(order.cumQuote).plus(quantity.times(price)).toFixed();
    order.avgPrice = this.#price(Big(order.cumQuote).div(executed));
    order.status = executed.eq(order.origQty) ? "FILLED" : "PARTIALLY_FILLED";
    order.updateTimeMs = timeMs;
    this.#events.emit("trade", trade, order);
  }

  /** What a trade at `price` that moves the position to `target` realizes. */
  #profitOf(target: Big, price: Big): Big {
    const flips = target.times(this.amount).lt(0);
    const closed = flips ? this.amount : this.amount.minus(target);
    const closes = closed.times(this.amount).gt(0);
    return closes ? price.minus(this.#entry).times(closed) : Big(0);
  }

  #moveTo(target: Big, price: Big): void {
    const grows = target.times(this.amount).gte(0) && target.abs().gt(this.amount.abs());
    const flips = target.times(this.amount).lt(0);
    if (target.eq(0)) this.#entry = Big(0);
    else if (flips) this.#entry = price;
    else if (grows) {
      const added = target.minus(this.amount);
      this.#entry = this.#entry.times(this.amount).plus(added.times(price)).div(target);
    }
    this.amount = target;
    this.#updateTimeMs = this.#now();
  }

  #quantity(value: Big): string {
    return value.toFixed(decimalsOf(this.spec.stepSize));
  }

  #price(value: Big): string {
    return value.toFixed(decimalsOf(this.spec.tickSize));
  }
}
