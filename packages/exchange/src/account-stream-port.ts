import type { EventEmitter } from "node:events";
import type { Side } from "./port.ts";

/*
 * What the venue's user data stream tells about the account. As in `port.ts`, ids, prices and quantities are exact
 * text. Source: Binance, USDⓈ-M Futures, "User Data Streams".
 */

/**
 * Who placed an order, by its client order id. `ours`: this pipeline, by the form of its ids; `liquidation`, `adl` and
 * `settlement`: the venue; `other`: anyone else who uses the account, such as a person.
 */
export const ORDER_ORIGINS = ["ours", "liquidation", "adl", "settlement", "other"] as const;
export type OrderOrigin = (typeof ORDER_ORIGINS)[number];

/** ORDER_TRADE_UPDATE: one order after a change. */
export interface OrderEvent {
  readonly symbol: string;
  readonly orderId: string;
  /** "" if it has none. */
  readonly clientOrderId: string;
  readonly side: Side;
  /** True if unreadable: an order that may reduce the position must be counted. */
  readonly reduceOnly: boolean;
  /** What happened: NEW, TRADE, CANCELED, EXPIRED, CALCULATED (liquidation), AMENDMENT, and others. */
  readonly executionType: string;
  /** As in `OrderState`; see `isClosed`. */
  readonly status: string;
  /** "" if missing. */
  readonly origQty: string;
  /** All that was filled so far, this event included. */
  readonly executedQty: string;
  /** Of all fills so far. "" if missing; 0 would not be a price. */
  readonly avgPrice: string;
  /** What this event filled. Undefined if it filled nothing. */
  readonly fill: Fill | undefined;
  /** `E`: when the venue wrote the event. */
  readonly eventTimeMs: number;
  /** `T`: when the engine executed it. Equal in the ACCOUNT_UPDATE of the same execution. */
  readonly timeMs: number;
  readonly origin: OrderOrigin;
}

export interface Fill {
  /** Equal to `Trade.id`. */
  readonly tradeId: string;
  readonly qty: string;
  /** "" if missing. */
  readonly price: string;
}

/** ACCOUNT_UPDATE: positions after a change. Positions that did not change are not listed. */
export interface AccountEvent {
  /** `m`: ORDER, FUNDING_FEE, ADJUSTMENT and others; "" if missing. */
  readonly reason: string;
  readonly eventTimeMs: number;
  readonly timeMs: number;
  readonly positions: readonly StreamedPosition[];
}

export interface StreamedPosition {
  readonly symbol: string;
  /** Signed: positive for long, negative for short. */
  readonly positionAmt: string;
  /** Like the profit, only passed on; "" if unreadable. */
  readonly entryPrice: string;
  readonly unrealizedProfit: string;
}

/** What could not be read. A `gap` of the same symbol follows. */
export interface UnreadableEvent {
  /** The event's `e`, or `other`. */
  readonly type: StreamEventType;
  /** Undefined if it is unreadable too. */
  readonly symbol: string | undefined;
  readonly problem: string;
}

export const STREAM_EVENT_TYPES = [
  "ORDER_TRADE_UPDATE",
  "ACCOUNT_UPDATE",
  "listenKeyExpired",
  "other",
] as const;
export type StreamEventType = (typeof STREAM_EVENT_TYPES)[number];

/**
 * Why the connection was lost, or could not be made. `no_key`: the venue gave no listen key; `refused`: no connection;
 * `closed`: the venue or the network closed it, which is routine after 24 hours; `silent`: open, but our pings were not
 * answered; `key_expired`: we left it for a new key; `distrusted`: we left it because its holder said so.
 */
export const DOWN_REASONS = ["no_key", "refused", "closed", "silent", "key_expired", "distrusted"] as const;
export type DownReason = (typeof DOWN_REASONS)[number];

/**
 * Why events may be missing although the connection is up. `unreadable`: an event or a row of it; `time_back`: an event
 * is older than one of its type that came before it; `key_expired`: the venue stopped sending; `handler_failed`: a
 * listener threw, so it may not have booked the event.
 */
export const GAP_REASONS = ["unreadable", "time_back", "key_expired", "handler_failed"] as const;
export type GapReason = (typeof GAP_REASONS)[number];

export interface AccountStreamEvents {
  order: [OrderEvent];
  account: [AccountEvent];
  /** Connected, for the first time or again. Earlier events may be missing: read the account by REST. */
  up: [];
  /** Not connected any more, or an attempt to connect failed. Not emitted by `stop()`. */
  down: [{ reason: DownReason; problem: string }];
  /** Events may be missing although it is up: read the symbol by REST, or all symbols if it is undefined. */
  gap: [{ reason: GapReason; symbol: string | undefined }];
  unreadable: [UnreadableEvent];
  /** Our own ping was answered: all events that the venue had sent until `atMs` have arrived. See `aliveAtMs`. */
  alive: [{ atMs: number }];
  /** A listener threw. */
  failed: [{ error: Error }];
}

/**
 * The user data stream of one account. Reconnects by itself, for ever. Events may come twice, late, out of order, or not
 * at all; whoever keeps a state from them must take that. All times are `performance.now()` in ms, so a step of the wall
 * clock changes nothing.
 */
export interface AccountStream extends EventEmitter<AccountStreamEvents> {
  start(): void;
  /** Closes the connection, but leaves the listen key alone: other processes of the account use it. */
  stop(): Promise<void>;
  /**
   * Connects again. For a holder who learns otherwise of what this stream should have told long ago: the venue can accept
   * a connection, answer pings, and send no events.
   */
  distrust(): void;
  /** Connected, and `aliveAtMs` is younger than the silence limit (10 s). */
  readonly isUp: boolean;
  /**
   * When we sent the last of our own pings that was answered; -Infinity before the first. The venue answers in order, so
   * whatever it had sent before has arrived. The pong's arrival would say less: it may have been on its way for long.
   */
  readonly aliveAtMs: number;
  /** When the venue answered the first ping of this connection; undefined while there is none. */
  readonly upSinceMs: number | undefined;
  /** When the last event arrived; undefined before the first. */
  readonly lastEventAtMs: number | undefined;
  /** Why the stream cannot be relied on, one sentence each, for /readyz; empty if it can. */
  problems(): string[];
}
