import { Big } from "big.js";
import { floorToStep, type Side } from "@quantum/exchange";
import { AccountEvents, SymbolAccount } from "./account.ts";
import type { SymbolSpec } from "./market.ts";
import { decimalsOf } from "./market.ts";
import type { ForcedBy, SimOrder, SimPosition, SimTrade } from "./records.ts";
import { seededRandom } from "@quantum/service-kit";
import { invalid, missing, unknownSymbol, VenueError } from "./venue-error.ts";

export type Query = Readonly<Record<string, string | undefined>>;

/**
 * How an accepted order executes; the last three are faults. `lagMs`: it executes at once, but queries do not find it
 * for this long, and lists of orders for half as long. Trades and the position show it.
 */
export type Execution = "at_once" | "half" | { readonly lateMs: number } | { readonly lagMs: number };

/** The most steps in one market order. */
const MAX_STEPS = 10_000_000;
const CLIENT_ORDER_ID = /^[.A-Z:/a-z0-9_-]{1,36}$/;
const LIMIT_DEFAULT = 500;
const LIMIT_MAX = 1000;
/** Lists lag less than queries. */
const LIST_LAG_SHARE = 0.5;
/** The longest span of a list. */
const SPAN_MAX_MS = 7 * 24 * 3_600_000;
/** The strategy restores its target when less than this share of it is left. */
const TOP_UP_BELOW = "0.5";

/** The simulated venue and its single account: Binance's rules without HTTP, in one-way mode. */
export class SimVenue {
  readonly events = new AccountEvents();
  readonly #accounts: ReadonlyMap<string, SymbolAccount>;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #now: () => number;
  /** Orders that queries do not find yet: since when, and for how long. */
  readonly #lagging = new Map<SimOrder, { sinceMs: number; lagMs: number }>();
  #strategy: boolean;

  constructor(market: readonly SymbolSpec[], seed: number, strategy: boolean, now: () => number) {
    const random = seededRandom(seed);
    this.#now = now;
    this.#accounts = new Map(
      market.map((spec) => [spec.symbol, new SymbolAccount(spec, random, now, this.events)]),
    );
    this.#strategy = strategy;
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

  openOrders(symbol?: string): SimOrder[] {
    return this.accounts(symbol).flatMap((account) => account.openOrders());
  }

  order(query: Query): SimOrder {
    const account = this.account(query["symbol"]);
    const { orderId, origClientOrderId } = query;
    if (orderId === undefined && origClientOrderId === undefined) throw missing("orderId");
    const order =
      orderId === undefined ? account.byClientOrderId(origClientOrderId ?? "") : account.byOrderId(orderId);
    if (!order || this.#lags(order, 1)) throw new VenueError(-2013, "Order does not exist.");
    return order;
  }

  /** Ascending by id: from `orderId`, or within a time span, or the most recent ones. */
  orders(query: Query): SimOrder[] {
    const orders = this.account(query["symbol"]).orders.filter((order) => !this.#lags(order, LIST_LAG_SHARE));
    const fromId = wholeNumber(query, "orderId");
    const { startTime, endTime } = spanOf(query);
    const limit = limitOf(query);
    if (fromId !== undefined)
      return orders.filter(({ orderId }) => BigInt(orderId) >= fromId).slice(0, limit);
    return orders.filter(({ timeMs }) => timeMs >= startTime && timeMs <= endTime).slice(-limit);
  }

  /** Ascending by id. With `fromId` or `startTime` the first ones from there, else the most recent ones. */
  trades(query: Query): SimTrade[] {
    const { trades } = this.account(query["symbol"]);
    const fromId = wholeNumber(query, "fromId");
    const startTime = wholeNumber(query, "startTime");
    const { endTime } = spanOf(query);
    const limit = limitOf(query);
    if (fromId !== undefined && (startTime !== undefined || endTime !== Infinity)) {
      throw new VenueError(-1128, "Combination of optional parameters invalid.");
    }
    const { orderId } = query;
    const asked = orderId === undefined ? trades : trades.filter((trade) => trade.orderId === orderId);
    if (fromId === undefined && startTime === undefined) return asked.slice(-limit);
    // Callers usually ask for recent trades, so the search starts at the end.
    const before = asked.findLastIndex((trade) =>
      fromId === undefined ? trade.timeMs < Number(startTime) : BigInt(trade.id) < fromId,
    );
    const page = asked.slice(before + 1, before + 1 + limit);
    return page.filter(({ timeMs }) => timeMs <= endTime);
  }

  /** Checks the order as Binance does, accepts it and executes it. Throws VenueError if it is refused. */
  place(query: Query, execution: Execution): SimOrder {
    const account = this.account(query["symbol"]);
    const { side, quantity, reduceOnly } = checkedOrder(query, account.spec);
    const { newClientOrderId } = query;

    if (newClientOrderId !== undefined && !CLIENT_ORDER_ID.test(newClientOrderId)) {
      throw new VenueError(-4015, "Client order id is not valid.");
    }
    // Only unique among open orders: after an order has filled, the same id can place a second one.
    if (newClientOrderId !== undefined && account.hasOpen(newClientOrderId)) {
      throw new VenueError(-4116, "ClientOrderId is duplicated.");
    }
    const closable = account.reducible(side);
    if (reduceOnly && closable.eq(0)) throw new VenueError(-2022, "ReduceOnly Order is rejected.");
    if (!reduceOnly && quantity.times(account.price()).lt(account.spec.minNotional)) {
      throw new VenueError(
        -4164,
        `Order's notional must be no smaller than ${account.spec.minNotional} (unless you choose reduce only).`,
      );
    }

    // Binance reduces a reduce-only order to what it can close, and answers with the smaller origQty.
    const accepted = reduceOnly && quantity.gt(closable) ? closable : quantity;
    const order = account.accept({
      clientOrderId: newClientOrderId ?? `web_${account.orders.length + 1}`,
      side,
      reduceOnly,
      origin: "api",
      origQty: accepted.toFixed(decimalsOf(account.spec.stepSize)),
      timestampMs: Number(query["timestamp"]),
      recvWindowMs: Number(query["recvWindow"]),
    });
    this.#execute(account, order, accepted, execution);
    return order;
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

export function maxQtyOf(spec: SymbolSpec): string {
  return Big(spec.stepSize).times(MAX_STEPS).toFixed();
}

/** Checks a MARKET order's parameters in the order in which Binance does. */
function checkedOrder(query: Query, spec: SymbolSpec): { side: Side; quantity: Big; reduceOnly: boolean } {
  const { side, type, quantity, positionSide, reduceOnly } = query;
  if (side === undefined) throw missing("side");
  if (side !== "BUY" && side !== "SELL") throw new VenueError(-1117, "Invalid side.");
  if (type === undefined) throw missing("type");
  if (type !== "MARKET") throw new VenueError(-1116, "Invalid orderType.");
  if (positionSide !== undefined && positionSide !== "BOTH") {
    throw new VenueError(-4061, "Order's position side does not match user's setting.");
  }
  if (quantity === undefined || !/^-?\d+(\.\d+)?$/.test(quantity)) throw missing("quantity");

  const amount = Big(quantity);
  if (amount.lte(0)) throw new VenueError(-4003, "Quantity less than or equal to zero.");
  if (decimalsOf(amount.toFixed()) > decimalsOf(spec.stepSize)) {
    throw new VenueError(-1111, "Precision is over the maximum defined for this asset.");
  }
  if (amount.lt(spec.minQty)) throw new VenueError(-4004, "Quantity less than min quantity.");
  if (amount.gt(maxQtyOf(spec))) throw new VenueError(-4005, "Quantity greater than max quantity.");
  if (!amount.mod(spec.stepSize).eq(0)) throw new VenueError(-4023, "Qty not increased by step size.");
  return { side, quantity: amount, reduceOnly: reduceOnly === "true" };
}

function limitOf(query: Query): number {
  const limit = Number(wholeNumber(query, "limit") ?? LIMIT_DEFAULT);
  if (limit < 1 || limit > LIMIT_MAX) throw invalid("limit");
  return limit;
}

function spanOf(query: Query): { startTime: number; endTime: number } {
  const startTime = Number(wholeNumber(query, "startTime") ?? 0);
  const endTime = Number(wholeNumber(query, "endTime") ?? Infinity);
  if (endTime < startTime) throw new VenueError(-1023, "Start time is greater than end time.");
  if (endTime !== Infinity && endTime - startTime > SPAN_MAX_MS) {
    throw new VenueError(-4166, "Search window is restricted to recent 7 days.");
  }
  return { startTime, endTime };
}

function wholeNumber(query: Query, name: string): bigint | undefined {
  const text = query[name];
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw invalid(name);
  return BigInt(text);
}
