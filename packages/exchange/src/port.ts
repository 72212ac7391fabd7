import type { ListenKeys } from "./listen-key.ts";
import type { Pause, PauseScope } from "./pauses.ts";
import type { OrderState, Side } from "./order-state.ts";
import type { AlgoOrder, Cancellation, OpenOrder } from "./resting-orders.ts";
import type { RequestClass } from "./request-classes.ts";

export { ExchangeError, type ExchangeErrorDetails } from "./exchange-error.ts";
export type { OrderState, Side } from "./order-state.ts";

/**
 * What the pipeline needs from a futures exchange, and nothing else.
 *
 * Lossless: ids, prices and quantities are strings exactly as the venue wrote them (order ids exceed 2^53). Times are
 * venue time in ms. Quantities are in the base asset, prices and profits in the quote asset.
 */
export interface Exchange extends ListenKeys {
  /**
   * Our estimate of the venue's time in whole ms, without a request: the last `serverTime()`, advanced by the monotonic
   * clock. Before the first one, this process's own time. A step of the wall clock does not affect it.
   */
  now(): number;
  /** Why the venue cannot be used now, judging by recent requests. One sentence each; empty if it can be used. */
  problems(): string[];
  /** The venue's pause that now keeps requests, or orders, from being sent. */
  pause(scope: PauseScope): Pause | undefined;
  /**
   * The same exchange, for requests of a class: if they would use more of the venue's limits than their class may, they
   * fail without being sent. A function is asked before each request. As it is created, its requests are `vital`: only the
   * limit itself ends them. Those of an `exit` are always sent, and the limits do not refuse its orders either.
   */
  as(requestClass: RequestClass | (() => RequestClass)): Exchange;
  /**
   * Runs a reading of several requests that are useless without each other. They are given room together before the first
   * is sent, in the class of this exchange, so none is spent on a reading that cannot end. Requests of `read` that weigh more
   * than was said must find room like any other.
   *
   * @param weight of all of them, as {@link READING_WEIGHTS} has it
   * @throws NotAskedError if the limits leave no room for all
   */
  within<T>(weight: number, read: () => Promise<T>): Promise<T>;
  /** Whether the limits leave room for one more order; for an exit always. Changes nothing. */
  hasRoomForOrder(): boolean;
  /**
   * Counts an order that is about to be placed. False, and not counted, if there is no room for it. An exit's is always
   * counted.
   */
  reserveOrder(): boolean;
  /** Reads the venue's time and measures the clock offset again. */
  serverTime(): Promise<number>;
  /** Order rules by symbol. A symbol whose rules cannot be read is absent. */
  rules(): Promise<ReadonlyMap<string, SymbolRules>>;
  /**
   * True if the account is in hedge mode, with separate long and short positions. The pipeline refuses such accounts.
   */
  hedgeMode(): Promise<boolean>;
  accountConfig(): Promise<AccountConfig>;
  /**
   * Of all symbols, or of one. Only a symbol with a position or open orders has a row: read the rows with
   * {@link positionOf}, since a symbol without one is flat only if every row could be read.
   */
  positions(symbol?: string): Promise<Rows<Position>>;
  /** Without the conditional orders that have not triggered: those are {@link openAlgoOrders}. */
  openOrders(symbol?: string): Promise<Rows<OpenOrder>>;
  openAlgoOrders(symbol?: string): Promise<Rows<AlgoOrder>>;
  /** Never throws for a failure of the venue or the network. Safe to repeat. Counts for no order limit. */
  cancelOrder(symbol: string, orderId: string): Promise<Cancellation>;
  /** Same as `cancelOrder`, for an algo order. */
  cancelAlgoOrder(symbol: string, algoId: string): Promise<Cancellation>;
  /**
   * The account's trades, ascending by id. Without `fromId` and `startTimeMs`: the most recent ones. Rejects if any of
   * them cannot be read, because a sum without it would be wrong.
   */
  trades(symbol: string, query?: TradeQuery): Promise<Trade[]>;
  /**
   * Never throws for a failure of the venue or the network: those are outcomes. Never resends. Counts for the limits only
   * by `reserveOrder`.
   */
  placeReduceOnlyMarket(request: OrderRequest): Promise<Placement>;
  /** `undefined` only if the venue says that the order (-2013) or the symbol (-1121) does not exist. */
  order(symbol: string, clientOrderId: string): Promise<OrderState | undefined>;
  /** Same as `order`, by the venue's id. */
  orderById(symbol: string, orderId: string): Promise<OrderState | undefined>;
  /** The order's client id, without reading its other fields; `undefined` if the order does not exist. */
  clientOrderIdOf(symbol: string, orderId: string): Promise<string | undefined>;
  /**
   * All orders of the account since a time, open or closed, from any sender. The venue looks back at most 7 days, and
   * after three days it forgets orders that were cancelled or expired without a fill.
   */
  ordersSince(symbol: string, sinceMs: number): Promise<ListedOrder[]>;
  /** All trades since a time, ascending by id, over any number of pages. The venue looks back at most 7 days. */
  tradesSince(symbol: string, sinceMs: number): Promise<Trade[]>;
}

export interface AccountConfig {
  /** Whether the account may trade. The key's own permission shows with its first order. */
  readonly canTrade: boolean;
  readonly hedgeMode: boolean;
  /** All positions share the margin of all assets. */
  readonly multiAssetsMode: boolean;
}

/** The rows of an answer, read one by one. */
export interface Rows<T> {
  readonly rows: readonly T[];
  /** Rows that could not be read. `symbol` is undefined if it is unreadable too. */
  readonly unreadable: readonly { readonly symbol: string | undefined; readonly problem: string }[];
}

export interface SymbolRules {
  readonly symbol: string;
  /** The venue's `status`, "" if missing. See {@link refusesAll}. */
  readonly status: string;
  readonly stepSize: string;
  readonly minQty: string;
  readonly maxQty: string;
  readonly minNotional: string;
  readonly tickSize: string;
}

const REFUSE_ALL: ReadonlySet<string> = new Set([
  "PENDING_TRADING",
  "DELIVERING",
  "DELIVERED",
  "SETTLING",
  "CLOSE",
]);

/**
 * Whether the venue accepts no orders for the symbol, not even reduce-only ones: -4108, "Symbol is on delivering or
 * delivered or settling or closed or pre-trading". In PRE_SETTLE and PRE_DELIVERING it only refuses to open positions
 * (-4140). For an unknown status we let the venue decide.
 */
export function refusesAll({ status }: Pick<SymbolRules, "status">): boolean {
  return REFUSE_ALL.has(status);
}

export interface Position {
  readonly symbol: string;
  /** Signed: positive for long, negative for short. */
  readonly positionAmt: string;
  /** Like profit and leverage, only passed on; "" if unreadable. */
  readonly entryPrice: string;
  /** "" if missing; 0 would not be a price. */
  readonly markPrice: string;
  readonly unrealizedProfit: string;
  readonly leverage: string;
  /** When the position last changed; 0 if the answer does not say, as for a flat symbol without a row. */
  readonly updateTimeMs: number;
}

/** A symbol's position; flat if it has no row. Undefined if a row that is or may be its own could not be read. */
export function positionOf({ rows, unreadable }: Rows<Position>, symbol: string): Position | undefined {
  if (unreadable.some((row) => row.symbol === symbol)) return undefined;
  const row = rows.find((position) => position.symbol === symbol);
  if (row !== undefined) return row;
  return unreadable.some((odd) => odd.symbol === undefined) ? undefined : { ...FLAT, symbol };
}

const FLAT: Omit<Position, "symbol"> = {
  positionAmt: "0",
  entryPrice: "0",
  markPrice: "",
  unrealizedProfit: "0",
  leverage: "",
  updateTimeMs: 0,
};

/** The documented ones; there are more. */
export const ORDER_STATUSES = [
  "NEW",
  "PARTIALLY_FILLED",
  "FILLED",
  "CANCELED",
  "REJECTED",
  "EXPIRED",
  "EXPIRED_IN_MATCH",
] as const;
export type OrderStatus = (typeof ORDER_STATUSES)[number];
const FILLED = "FILLED" satisfies OrderStatus;
const OPEN = new Set<string>(["NEW", "PARTIALLY_FILLED"] satisfies OrderStatus[]);
const CLOSED = new Set<string>(ORDER_STATUSES.filter((status) => !OPEN.has(status)));

/** An order as it appears in lists. Other fields are not read, so one odd order does not hide the rest. */
export type ListedOrder = Pick<OrderState, "orderId" | "clientOrderId">;

/**
 * A closed order has no further fills, so its `executedQty` is final. An order with an unknown status may still fill, and
 * FILLED with nothing executed contradicts itself: its fill is not written yet.
 */
export function isClosed({ status, executedQty }: Pick<OrderState, "status" | "executedQty">): boolean {
  return CLOSED.has(status) && (status !== FILLED || Number(executedQty) > 0);
}

export interface Trade {
  readonly id: string;
  readonly orderId: string;
  readonly symbol: string;
  readonly side: Side;
  /** "" if missing. */
  readonly price: string;
  readonly qty: string;
  readonly timeMs: number;
}

/**
 * `fromId` is inclusive and cannot be combined with `startTimeMs`. Without `fromId` the venue looks back at most
 * {@link TRADES_LOOK_BACK_MS}.
 */
export interface TradeQuery {
  readonly orderId?: string;
  readonly fromId?: string;
  readonly startTimeMs?: number;
  /** 1 to 1000; the venue's default is 500. */
  readonly limit?: number;
}

/** The venue's limit for one answer. */
export const TRADES_PAGE = 1000;
export const TRADES_LOOK_BACK_MS = 7 * 24 * 3_600_000;

export interface OrderRequest {
  readonly symbol: string;
  readonly side: Side;
  readonly quantity: string;
  /** At most 36 of `[A-Za-z0-9._:/-]`; unique only among the account's open orders. */
  readonly clientOrderId: string;
  /**
   * Start of the send window, in venue time (`now()`). The venue executes nothing that arrives after `timestampMs +
   * recvWindowMs`. A caller that recorded both knows when the order can no longer be executed, even if this process
   * sleeps between the record and the send.
   */
  readonly timestampMs: number;
  readonly recvWindowMs: number;
}

export type Placement =
  /** Closed (`isClosed`): what was filled is final. Its average price may be missing. */
  | { readonly outcome: "answered"; readonly order: OrderState }
  /**
   * Accepted. What was filled is not known yet, because the venue wrote the answer before the order was closed, or wrote
   * only the order's ids: query it. `status` is "" if missing.
   */
  | { readonly outcome: "acknowledged"; readonly orderId: string; readonly status: string }
  /** Definitely not executed; the same order would be refused again. */
  | { readonly outcome: "rejected"; readonly code: number | undefined; readonly message: string }
  /** Definitely not executed: it arrived outside its send window. */
  | { readonly outcome: "expired"; readonly message: string }
  /** Definitely not executed: the venue asks us to wait. */
  | { readonly outcome: "retry_after"; readonly retryAfterMs: number; readonly message: string }
  /** Definitely not executed: the venue was not reached, or reported a failure. */
  | { readonly outcome: "unavailable"; readonly message: string }
  /** May have executed: never resend, query by client order id. */
  | { readonly outcome: "ambiguous"; readonly reason: string }
  /** An open order has this client order id: query it and adopt it. */
  | { readonly outcome: "already_placed" };
