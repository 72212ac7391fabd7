import type { Pause, PauseScope } from "./pauses.ts";

/**
 * What the pipeline needs of a futures exchange, and nothing else.
 *
 * Lossless: ids, prices and quantities are strings exactly as the venue wrote them (order ids go beyond 2^53).
 * Times are venue time in ms. Quantities are in the base asset, prices and profits in the quote asset.
 */
export interface Exchange {
  /**
   * Venue time in whole ms as this process reckons it, without a request: the last `serverTime()`, carried on by the
   * monotonic clock (before the first one: this process's own time). A step of the wall clock does not change it.
   */
  now(): number;
  /** Why the venue cannot be used now, as the requests tell that were made anyway: one sentence each, empty if it can. */
  problems(): string[];
  /** The pause, asked for by the venue, that keeps any request, or orders, from being sent now. */
  pause(scope: PauseScope): Pause | undefined;
  /** Asks the venue for its time and measures the clock offset again. */
  serverTime(): Promise<number>;
  /** Order rules by symbol. A symbol whose rules cannot be read is absent. */
  rules(): Promise<ReadonlyMap<string, SymbolRules>>;
  /** True when the account holds long and short positions side by side; the pipeline refuses such accounts. */
  hedgeMode(): Promise<boolean>;
  /** One row a symbol, flat ones included: a symbol without a row is not flat, but unknown. */
  positions(symbol?: string): Promise<Rows<Position>>;
  openOrders(symbol?: string): Promise<Rows<OrderState>>;
  /**
   * The account's trades, ascending by id. Without `fromId` and `startTimeMs`: the most recent ones. Rejects if one of
   * them cannot be read: a sum that lacks one is no sum.
   */
  trades(symbol: string, query?: TradeQuery): Promise<Trade[]>;
  /** Never throws for anything the venue or the network does: the outcome is the answer. Never resends. */
  placeReduceOnlyMarket(request: OrderRequest): Promise<Placement>;
  /** `undefined` only if the venue says that it knows no such order (-2013), or no such symbol (-1121). */
  order(symbol: string, clientOrderId: string): Promise<OrderState | undefined>;
  /** The same by the venue's own id. */
  orderById(symbol: string, orderId: string): Promise<OrderState | undefined>;
  /** Whose order it is, whatever else it is; `undefined` if the venue knows no such order. */
  clientOrderIdOf(symbol: string, orderId: string): Promise<string | undefined>;
  /**
   * Every order of the account that was made since, open or closed, whoever sent it. The venue looks back 7 days at most,
   * and forgets after three days what was cancelled or expired without a fill.
   */
  ordersSince(symbol: string, sinceMs: number): Promise<ListedOrder[]>;
  /** All trades since, ascending by id, however many pages they are. The venue looks back 7 days at most. */
  tradesSince(symbol: string, sinceMs: number): Promise<Trade[]>;
}

/** An answer's rows, read one by one. */
export interface Rows<T> {
  readonly rows: readonly T[];
  /** Rows whose content is unknown. `symbol` is undefined if it cannot be read either. */
  readonly unreadable: readonly { readonly symbol: string | undefined; readonly problem: string }[];
}

export type Side = "BUY" | "SELL";

export interface SymbolRules {
  readonly symbol: string;
  /** The venue's `status`, "" if it tells none. See {@link refusesAll}. */
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
 * Whether the venue takes no order of the symbol, reduce-only ones included: -4108, "Symbol is on delivering or delivered
 * or settling or closed or pre-trading". In PRE_SETTLE and PRE_DELIVERING it refuses to open (-4140), not to close; and a
 * status that is not known here is the venue's to judge.
 */
export function refusesAll({ status }: Pick<SymbolRules, "status">): boolean {
  return REFUSE_ALL.has(status);
}

export interface Position {
  readonly symbol: string;
  /** Signed: above 0 long, below 0 short. */
  readonly positionAmt: string;
  /** This, profit and leverage are only passed on: "" where they cannot be read. */
  readonly entryPrice: string;
  /** "" if the venue tells none: 0 is no price. */
  readonly markPrice: string;
  readonly unrealizedProfit: string;
  readonly leverage: string;
  readonly updateTimeMs: number;
}

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
const OPEN = new Set<string>(["NEW", "PARTIALLY_FILLED"] satisfies OrderStatus[]);
const CLOSED = new Set<string>(ORDER_STATUSES.filter((status) => !OPEN.has(status)));

export interface OrderState {
  readonly symbol: string;
  readonly orderId: string;
  /** "" if it has none. */
  readonly clientOrderId: string;
  readonly side: Side;
  readonly status: string;
  readonly reduceOnly: boolean;
  /** "" if a query did not tell it; open orders always do. */
  readonly origQty: string;
  /** What the matching engine had filled when it wrote this answer: final only once the order is closed. */
  readonly executedQty: string;
  /** "" if the venue tells none: 0 is no price. */
  readonly avgPrice: string;
  readonly updateTimeMs: number;
}

/** An order as lists name it; what else they say of it is not read, so no odd one hides the others. */
export type ListedOrder = Pick<OrderState, "orderId" | "clientOrderId">;

/** A closed order fills no further; its `executedQty` is final. One of a status that is not known here may fill. */
export function isClosed({ status }: Pick<OrderState, "status">): boolean {
  return CLOSED.has(status);
}

export interface Trade {
  readonly id: string;
  readonly orderId: string;
  readonly symbol: string;
  readonly side: Side;
  /** "" if the venue tells none. */
  readonly price: string;
  readonly qty: string;
  readonly timeMs: number;
}

/**
 * `fromId` is inclusive and excludes `startTimeMs`; the venue looks back {@link TRADES_LOOK_BACK_MS} at most unless
 * `fromId` is given.
 */
export interface TradeQuery {
  readonly orderId?: string;
  readonly fromId?: string;
  readonly startTimeMs?: number;
  /** 1 to 1000; the venue's default is 500. */
  readonly limit?: number;
}

/** The most that the venue gives at once. */
export const TRADES_PAGE = 1000;
export const TRADES_LOOK_BACK_MS = 7 * 24 * 3_600_000;

export interface OrderRequest {
  readonly symbol: string;
  readonly side: Side;
  readonly quantity: string;
  /** At most 36 of `[A-Za-z0-9._:/-]`; unique only among the account's open orders. */
  readonly clientOrderId: string;
  /**
   * When the send window opens, in venue time (`now()`). The venue executes nothing that reaches it after
   * `timestampMs + recvWindowMs`, so a caller that recorded both knows when the order can no longer come to be,
   * even if this process sleeps between the record and the send.
   */
  readonly timestampMs: number;
  readonly recvWindowMs: number;
}

export type Placement =
  | { readonly outcome: "answered"; readonly order: OrderState }
  /** Definitely not executed, and the same order would be refused again. */
  | { readonly outcome: "rejected"; readonly code: number | undefined; readonly message: string }
  /** Definitely not executed: it reached the venue outside its send window. */
  | { readonly outcome: "expired"; readonly message: string }
  /** Definitely not executed: the venue wants us to wait. */
  | { readonly outcome: "retry_after"; readonly retryAfterMs: number; readonly message: string }
  /** Definitely not executed: the venue was not reached, or says that it failed. */
  | { readonly outcome: "unavailable"; readonly message: string }
  /** May have executed: never resend, query by client order id. */
  | { readonly outcome: "ambiguous"; readonly reason: string }
  /** An open order has this client order id: query it and adopt it. */
  | { readonly outcome: "already_placed" };

export interface ExchangeErrorDetails {
  code?: number;
  httpStatus?: number;
  retryAfterMs?: number;
  said?: string;
  notSent?: boolean;
}

/** A read that gave no usable answer. It carries nothing of the request, so no key or signature can leak. */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError";
  /** The venue's error code, if its body had one. */
  readonly code: number | undefined;
  /** Absent if no answer came. */
  readonly httpStatus: number | undefined;
  readonly retryAfterMs: number | undefined;
  /** The venue's own words, "" if there are none. */
  readonly said: string;
  /** No connection came to be, so the venue never saw the request. */
  readonly notSent: boolean;

  constructor(message: string, details: ExchangeErrorDetails = {}) {
    super(message);
    this.code = details.code;
    this.httpStatus = details.httpStatus;
    this.retryAfterMs = details.retryAfterMs;
    this.said = details.said ?? "";
    this.notSent = details.notSent ?? false;
  }
}
