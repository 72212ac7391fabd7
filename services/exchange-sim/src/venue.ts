import { Big } from "big.js";
import { floorToStep } from "@quantum/exchange";
import { SymbolAccount } from "./account.ts";
import { AccountEvents } from "./account-events.ts";
import { AlgoOrders, type AlgoTerms } from "./algo-orders.ts";
import { decimalsOf, PERCENT_PRICE, type SymbolSpec } from "./market.ts";
import { checkedOrder } from "./order-rules.ts";
import { ordersOf, type Query, tradesOf } from "./queries.ts";
import {
  type ForcedBy,
  isOpen,
  type SavedAccount,
  type SimAlgoOrder,
  type SimOrder,
  type SimPosition,
  type SimTrade,
} from "./records.ts";
import { seededRandom } from "@quantum/service-kit";
import { missing, refusal, unknownSymbol, VenueError } from "./venue-error.ts";

/**
 * How an accepted order executes; the last three are faults. `lagMs`: it executes at once, but queries do not find it
 * for this long, and lists of orders for half as long. Trades and the position show it.
 */
export type Execution = "at_once" | "half" | { readonly lateMs: number } | { readonly lagMs: number };

/** Lists lag less than queries. */
const LIST_LAG_SHARE = 0.5;
/** The strategy restores its target when less than this share of it is left. */
const TOP_UP_BELOW = "0.5";

/** What a tester puts into the book for somebody else with the account's keys. */
export interface LimitTerms extends Pick<SimOrder, "symbol" | "side" | "reduceOnly"> {
  readonly quantity: string;
  readonly price: string | undefined;
}

/** The simulated venue and its single account: Binance's rules without HTTP, in one-way mode. */
export class SimVenue {
  readonly events = new AccountEvents();
  readonly algoOrders: AlgoOrders;
  readonly #accounts: ReadonlyMap<string, SymbolAccount>;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #now: () => number;
  /** Orders that queries do not find yet: since when, and for how long. */
  readonly #lagging = new Map<SimOrder, { sinceMs: number; lagMs: number }>();
  #strategy: boolean;

  /** @param saved the account of an earlier process; its symbols are all in the market */
  constructor(
    market: readonly SymbolSpec[],
    seed: number,
    strategy: boolean,
    now: () => number,
    saved?: ReadonlyMap<string, SavedAccount>,
  ) {
    const random = { prices: seededRandom(seed), fills: seededRandom(seed + 1) };
    this.#now = now;
    this.#accounts = new Map(
      market.map((spec) => [
        spec.symbol,
        new SymbolAccount(spec, random, now, this.events, saved?.get(spec.symbol)),
      ]),
    );
    const algoOrders = [...(saved?.values() ?? [])].flatMap((account) => account.algoOrders);
    this.algoOrders = new AlgoOrders(now, this.events, algoOrders);
    this.#strategy = strategy;
  }

  /** Executes what an earlier process accepted and did not execute. */
  resume(): void {
    for (const account of this.accounts())
      for (const order of account.openOrders().filter(({ type }) => type === "MARKET"))
        this.#execute(account, order, Big(order.origQty).minus(order.executedQty), "at_once");
  }

  accounts(symbol?: string): SymbolAccount[] {
    return symbol === undefined ? [...this.#accounts.values()] : [this.account(symbol)];
  }

  account(symbol: string | undefined): SymbolAccount {
    if (symbol === undefined || symbol === "") throw missing("symbol");
    const account = this.#accounts.get(symbol);
    if (!account) throw unknownSymbol();
    return account;
  }

  positions(symbol?: string): SimPosition[] {
    return this.accounts(symbol).map((account) => account.position());
  }

  /** Only those of symbols with a position or an open order. */
  positionsInUse(symbol?: string): SimPosition[] {
    return this.accounts(symbol)
      .filter((account) => account.isInUse())
      .map((account) => account.position());
  }

  openOrders(symbol?: string): SimOrder[] {
    return this.accounts(symbol).flatMap((account) => account.openOrders());
  }

  openAlgoOrders(symbol?: string): SimAlgoOrder[] {
    return this.accounts(symbol).flatMap((account) => this.algoOrders.open(account.spec.symbol));
  }

  order(query: Query): SimOrder {
    const order = this.#find(query);
    if (!order || this.#lags(order, 1)) throw refusal(-2013);
    return order;
  }

  orders(query: Query): SimOrder[] {
    const { orders } = this.account(query["symbol"]);
    const visible = orders.filter((order) => !this.#lags(order, LIST_LAG_SHARE));
    return ordersOf(visible, query, this.#now());
  }

  trades(query: Query): SimTrade[] {
    return tradesOf(this.account(query["symbol"]).trades, query, this.#now());
  }

  /** Checks the order as Binance does, accepts it and executes it. Throws VenueError if it is refused. */
  place(query: Query, execution: Execution): SimOrder {
    const account = this.account(query["symbol"]);
    const { side, quantity, reduceOnly, clientOrderId } = checkedOrder(query, account.spec);
    // Only unique among open orders: after an order has filled, the same id can place a second one.
    if (clientOrderId !== undefined && account.hasOpen(clientOrderId)) {
      throw new VenueError(-4116, "ClientOrderId is duplicated.");
    }
    const reducible = account.reducible(side);
    // -4118 was answered to a market order in 2026, while a reduce-only limit order of the whole position was open.
    if (reduceOnly && reducible.eq(0)) throw refusal(account.closable(side).gt(0) ? -4118 : -2022);
    if (!reduceOnly && quantity.times(account.price()).lt(account.spec.minNotional)) {
      throw new VenueError(
        -4164,
        `Order's notional must be no smaller than ${account.spec.minNotional} (unless you choose reduce only).`,
      );
    }

    if (Big(account.spec.spread ?? 0).gt(PERCENT_PRICE)) throw refusal(-4131);

    // Binance reduces a reduce-only order to what it can close, and answers with the smaller origQty.
    const accepted = reduceOnly && quantity.gt(reducible) ? reducible : quantity;
    const order = account.accept({
      clientOrderId,
      side,
      reduceOnly,
      origin: "api",
      origQty: accepted.toFixed(decimalsOf(account.spec.stepSize)),
      timestampMs: numberOf(query["timestamp"]),
      recvWindowMs: numberOf(query["recvWindow"]),
    });
    this.#execute(account, order, accepted, execution);
    return order;
  }

  /** @throws VenueError if there is no such open order */
  cancel(query: Query): SimOrder {
    const order = this.#openOrder(query);
    this.account(order.symbol).cancel(order);
    return order;
  }

  /** @throws VenueError if there is no such order that waits */
  cancelAlgo(query: Query): SimAlgoOrder {
    const order = this.algoOrders.waiting(query);
    this.algoOrders.end(order, "CANCELED");
    return order;
  }

  /** Somebody else's order waits in the book. Whether the account could place it is not checked. */
  rest({ symbol, side, reduceOnly, quantity, price }: LimitTerms): SimOrder {
    const account = this.account(symbol);
    const { stepSize, tickSize } = account.spec;
    return account.accept({
      clientOrderId: undefined,
      side,
      reduceOnly,
      origin: "other",
      origQty: Big(quantity).toFixed(decimalsOf(stepSize)),
      limitPrice: Big(price ?? account.price()).toFixed(decimalsOf(tickSize)),
    });
  }

  /** Somebody else's conditional order waits for its price. */
  restAlgo(
    terms: Omit<AlgoTerms, "triggerPrice"> & { readonly triggerPrice: string | undefined },
  ): SimAlgoOrder {
    const account = this.account(terms.symbol);
    const triggerPrice = Big(terms.triggerPrice ?? account.price()).toFixed(
      decimalsOf(account.spec.tickSize),
    );
    return this.algoOrders.place({ ...terms, triggerPrice });
  }

  /** The market meets an order that waits in the book, at the order's price. */
  meet(query: Query): SimOrder {
    const order = this.#openOrder(query);
    const account = this.account(order.symbol);
    const left = Big(order.origQty).minus(order.executedQty);
    account.fill(order, left, order.type === "LIMIT" ? Big(order.price) : undefined);
    this.#topUp(account);
    return order;
  }

  /** The market reaches a conditional order: it becomes a market order. */
  trigger(query: Query): SimAlgoOrder {
    const algo = this.algoOrders.waiting(query);
    const account = this.account(algo.symbol);
    const onlyReduces = algo.reduceOnly || algo.closePosition;
    const reducible = account.reducible(algo.side);
    const asked = algo.closePosition ? reducible : Big(algo.quantity);
    const quantity = onlyReduces && asked.gt(reducible) ? reducible : asked;
    if (quantity.eq(0)) {
      this.algoOrders.end(algo, "REJECTED");
      return algo;
    }
    const order = account.accept({
      clientOrderId: undefined,
      side: algo.side,
      reduceOnly: onlyReduces,
      origin: "other",
      origQty: quantity.toFixed(decimalsOf(account.spec.stepSize)),
    });
    this.#execute(account, order, quantity, "at_once");
    this.algoOrders.end(algo, "FINISHED", order.orderId);
    return algo;
  }

  setStrategy(enabled: boolean): void {
    this.#strategy = enabled;
    for (const account of this.accounts()) this.#topUp(account);
  }

  /** Somebody else, or the venue itself, trades the position. */
  setPosition(symbol: string, positionAmt: string, by: "other" | ForcedBy): void {
    this.account(symbol).tradeTo(Big(positionAmt), by);
  }

  /** The position changes without a trade that shows it. */
  setPositionUntraded(symbol: string, positionAmt: string): void {
    this.account(symbol).setUntraded(Big(positionAmt));
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #find(query: Query): SimOrder | undefined {
    const account = this.account(query["symbol"]);
    const { orderId, origClientOrderId } = query;
    if (orderId === undefined && origClientOrderId === undefined) throw missing("orderId");
    return orderId === undefined
      ? account.byClientOrderId(origClientOrderId ?? "")
      : account.byOrderId(orderId);
  }

  #openOrder(query: Query): SimOrder {
    const order = this.#find(query);
    if (!order || !isOpen(order)) throw refusal(-2011);
    return order;
  }

  #execute(account: SymbolAccount, order: SimOrder, quantity: Big, execution: Execution): void {
    if (typeof execution === "object" && "lagMs" in execution) {
      this.#lagging.set(order, { sinceMs: this.#now(), lagMs: execution.lagMs });
      this.#execute(account, order, quantity, "at_once");
      return;
    }
    if (typeof execution === "object") {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#execute(account, order, quantity, "at_once");
      }, execution.lateMs).unref();
      this.#timers.add(timer);
      return;
    }
    const half = Big(floorToStep(quantity.times("0.5").toFixed(), account.spec.stepSize));
    account.fill(order, execution === "half" ? half : quantity);
    this.#topUp(account);
  }

  #lags(order: SimOrder, share: number): boolean {
    const lag = this.#lagging.get(order);
    return lag !== undefined && this.#now() - lag.sinceMs < lag.lagMs * share;
  }

  /** In the same tick as the order, so that no snapshot shows the account without its position. */
  #topUp(account: SymbolAccount): void {
    const target = Big(account.spec.positionAmt);
    const left = target.gte(0) ? account.amount : account.amount.times(-1);
    if (this.#strategy && left.lt(target.abs().times(TOP_UP_BELOW))) account.tradeTo(target, "strategy");
  }
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
