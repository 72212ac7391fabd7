/** One symbol of an account at the exchange, and the events that it tells; for properties of the books. */
import type { OrderEvent, OrderState, Side, StreamedPosition } from "@quantum/exchange";
import { Big } from "big.js";
import type { Moment, Reading, SymbolBook } from "./booking.ts";
import type { Pair } from "./pair.ts";

export const SYMBOL = "BTCUSDT";
const START_AMT = "10";
const START_MS = 1_000;
/** Redis's clock is this far ahead of performance.now(). */
export const EPOCH_MS = 1_700_000_000_000;

export type Told =
  | { kind: "order"; event: OrderEvent }
  | { kind: "account"; position: StreamedPosition; timeMs: number };

export type Step =
  /** A market order of ours that fills in parts. */
  | { kind: "trade"; side: Side; parts: number[]; tickMs: number; perFill: boolean; origin: "ours" | "other" }
  | { kind: "open"; side: Side; qty: number; tickMs: number }
  /** An open order, by its index, fills in part, or is cancelled. */
  | { kind: "fill"; index: number; qty: number; tickMs: number }
  | { kind: "cancel"; index: number; tickMs: number };

interface Limit {
  orderId: string;
  side: Side;
  origQty: Big;
  executed: Big;
}

export class ToldAccount {
  amount = Big(START_AMT);
  timeMs = START_MS;
  /** When the position last changed. */
  #movedAtMs = START_MS;
  #tradeId = 1_000n;
  #orderId = 9_007_199_254_740_993n;
  readonly open: Limit[] = [];
  /** Every position that was true, by the engine's time. */
  readonly history = new Map<number, string[]>([[START_MS, [START_AMT]]]);
  /** When each order of ours was filled, and how much. */
  readonly ours = new Map<string, { timeMs: number; qty: string }>();

  step(step: Step): Told[] {
    this.timeMs += step.tickMs;
    if (step.kind === "trade") return this.#trade(step);
    if (step.kind === "open") return this.#openLimit(step);
    const limit = this.open[step.index % Math.max(this.open.length, 1)];
    if (limit === undefined) return [];
    if (step.kind === "cancel") return this.#cancel(limit);
    const left = limit.origQty.minus(limit.executed);
    const qty = left.lt(step.qty) ? left : Big(step.qty);
    limit.executed = limit.executed.plus(qty);
    const isFilled = limit.executed.eq(limit.origQty);
    if (isFilled) this.open.splice(this.open.indexOf(limit), 1);
    const { orderId, side, origQty, executed } = limit;
    const fill = this.#fill(side, qty);
    return [
      this.#order({
        orderId,
        side,
        reduceOnly: true,
        fill,
        executed,
        origQty,
        origin: "other",
        status: isFilled ? "FILLED" : "PARTIALLY_FILLED",
      }),
      this.#account(),
    ];
  }

  reading(nowMs: number): Reading {
    const orders = this.open.map(({ orderId, side, origQty, executed }): OrderState => ({
      symbol: SYMBOL,
      orderId,
      clientOrderId: "",
      side,
      status: executed.eq(0) ? "NEW" : "PARTIALLY_FILLED",
      reduceOnly: true,
      origQty: origQty.toFixed(),
      executedQty: executed.toFixed(),
      avgPrice: "",
      updateTimeMs: this.timeMs,
    }));
    const pair: Pair = {
      snapshot: {
        positionAmt: this.amount.toFixed(),
        entryPrice: "1",
        markPrice: "1",
        unrealizedPnl: "0",
        leverage: "10",
        openReduceQty: this.openReduceQty(),
        updateTimeMs: this.#movedAtMs,
        tsEpochSec: 0,
      },
      ledger: {
        amt: this.amount.toFixed(),
        lastTradeId: this.#tradeId.toString(),
        origin: "trades",
        lastExecution: undefined,
      },
    };
    return { pair, version: `read at ${nowMs}`, orders, readAtMs: nowMs };
  }

  openReduceQty(): string {
    const closing = this.amount.gt(0) ? "SELL" : "BUY";
    return this.open
      .filter(({ side }) => side === closing)
      .reduce((sum, { origQty, executed }) => sum.plus(origQty).minus(executed), Big(0))
      .toFixed();
  }

  #trade({ side, parts, perFill, origin }: Extract<Step, { kind: "trade" }>): Told[] {
    this.#orderId += 2n;
    const orderId = this.#orderId.toString();
    const origQty = parts.reduce((sum, part) => sum.plus(part), Big(0));
    let executed = Big(0);
    const told = parts.flatMap((part) => {
      executed = executed.plus(part);
      const fill = this.#fill(side, Big(part));
      const status = executed.eq(origQty) ? "FILLED" : "PARTIALLY_FILLED";
      const order = this.#order({
        orderId,
        side,
        reduceOnly: false,
        fill,
        executed,
        origQty,
        origin,
        status,
      });
      return perFill ? [order, this.#account()] : [order];
    });
    if (origin === "ours") this.ours.set(orderId, { timeMs: this.timeMs, qty: origQty.toFixed() });
    return perFill ? told : [...told, this.#account()];
  }

  #openLimit({ side, qty }: Extract<Step, { kind: "open" }>): Told[] {
    this.#orderId += 2n;
    const limit = { orderId: this.#orderId.toString(), side, origQty: Big(qty), executed: Big(0) };
    this.open.push(limit);
    return [this.#order({ ...limit, reduceOnly: true, fill: undefined, origin: "other", status: "NEW" })];
  }

  #cancel(limit: Limit): Told[] {
    this.open.splice(this.open.indexOf(limit), 1);
    return [
      this.#order({ ...limit, reduceOnly: true, fill: undefined, origin: "other", status: "CANCELED" }),
    ];
  }

  #fill(side: Side, qty: Big): OrderEvent["fill"] {
    this.#tradeId += 3n;
    this.#movedAtMs = this.timeMs;
    this.amount = side === "BUY" ? this.amount.plus(qty) : this.amount.minus(qty);
    const at = this.history.get(this.timeMs) ?? [];
    this.history.set(this.timeMs, [...at, this.amount.toFixed()]);
    return { tradeId: this.#tradeId.toString(), qty: qty.toFixed(), price: "1" };
  }

  #order({
    executed,
    origQty,
    ...more
  }: Pick<OrderEvent, "orderId" | "side" | "reduceOnly" | "fill" | "origin" | "status"> & {
    executed: Big;
    origQty: Big;
  }): Told {
    const event: OrderEvent = {
      ...more,
      symbol: SYMBOL,
      clientOrderId: more.origin === "ours" ? "qp-0123456789abcdef-1" : "web_1",
      executionType: more.fill === undefined ? more.status : "TRADE",
      origQty: origQty.toFixed(),
      executedQty: executed.toFixed(),
      avgPrice: "1",
      eventTimeMs: this.timeMs + 1,
      timeMs: this.timeMs,
    };
    return { kind: "order", event };
  }

  #account(): Told {
    const position = {
      symbol: SYMBOL,
      positionAmt: this.amount.toFixed(),
      entryPrice: "1",
      unrealizedProfit: "0",
    };
    return { kind: "account", position, timeMs: this.timeMs };
  }
}

export interface Delivery {
  /** 0: the event is dropped. */
  copies: number;
  /** After how many further steps it arrives. */
  lateBy: number;
}

/** Lets the steps happen one by one, delivers their events, and does what the book decides. */
export function play(book: SymbolBook, steps: readonly Step[], deliveries: readonly Delivery[]) {
  const account = new ToldAccount();
  const stored: Pair[] = [];
  const reads: string[] = [];
  const dropped: Told[] = [];
  let newFills = 0;
  let nowMs = 1;
  const moment = (): Moment => ({ nowMs, epochMs: EPOCH_MS + nowMs });
  book.begin(account.reading(nowMs));

  const act = (): number | undefined => {
    const decision = book.decide(moment(), 0);
    if (decision.kind === "wait") return decision.untilMs;
    if (decision.kind === "store") {
      stored.push(decision.pair);
      book.store({ pair: decision.pair, version: `event ${stored.length}` });
    } else if (decision.kind === "read") {
      reads.push(decision.reason);
      book.begin(account.reading(nowMs));
      book.readingEnded(nowMs);
      return act();
    }
    return undefined;
  };
  const tell = (told: Told) => {
    if (told.kind === "account") book.account(told.position, told.timeMs, moment());
    else if (book.order(told.event, moment())) newFills += 1;
    act();
  };

  const arriving = new Map<number, Told[]>();
  let events = 0;
  const lastAt = steps.length + Math.max(0, ...deliveries.map(({ lateBy }) => lateBy));
  for (let at = 0; at <= lastAt; at++) {
    const step = steps[at];
    for (const told of step ? account.step(step) : []) {
      const { copies, lateBy } = deliveries[events++ % deliveries.length] ?? { copies: 1, lateBy: 0 };
      if (copies === 0) dropped.push(told);
      for (let copy = 0; copy < copies; copy++) {
        const arrivesAt = at + lateBy * (copy + 1);
        const others = arriving.get(Math.min(arrivesAt, lastAt)) ?? [];
        // What comes last in its step is told first: even events of one step change their order.
        arriving.set(Math.min(arrivesAt, lastAt), [told, ...others]);
      }
    }
    nowMs += 1;
    for (const told of arriving.get(at) ?? []) tell(told);
  }
  for (let until = act(); until !== undefined; until = act()) nowMs = until;
  return { account, stored, reads, dropped, newFills, last: book.stored?.pair };
}
