import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { Big } from "big.js";
import { WebSocketServer } from "ws";
import { seededRandom } from "@quantum/service-kit";
import { ListenKeys } from "./listen-keys.ts";
import type { SimTrade } from "./records.ts";
import {
  accountEvent,
  algoEvent,
  expiredEvent,
  feeOf,
  orderEvent,
  type StreamEvent,
  type StreamEventType,
} from "./stream-events.ts";
import { DeliveryFaults, type StreamFault } from "./stream-faults.ts";
import { Subscriber } from "./subscriber.ts";
import type { SimVenue } from "./venue.ts";

/** Times of the user data stream, in ms. The defaults are the venue's. */
export interface UserStreamTimes {
  readonly listenKeyMs?: number;
  readonly pingMs?: number;
  readonly pongWithinMs?: number;
  readonly connectionMs?: number;
}

const PATH = "/private/ws";
const VENUE_TIMES = {
  listenKeyMs: 3_600_000,
  pingMs: 180_000,
  pongWithinMs: 600_000,
  connectionMs: 86_400_000,
};
/** The account's balance at its start, in USDT. */
const WALLET_START = "100000";

/**
 * The account's user data stream, `/private/ws?listenKey=…&events=A/B`. `events` is a list of what is sent and nothing
 * else is, not even `listenKeyExpired`; without it everything is sent. A socket with a key that is not active opens, and
 * is told nothing. Source: Binance, USDⓈ-M Futures, "User Data Streams" and "Important WebSocket Change Notice" (2026).
 */
export class UserStream {
  readonly listenKeys: ListenKeys;
  readonly #faults: DeliveryFaults;
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    autoPong: false,
    perMessageDeflate: false,
  });
  readonly #subscribers = new Set<Subscriber>();
  readonly #times: Required<UserStreamTimes>;
  readonly #now: () => number;
  readonly #realizedProfits = new Map<string, Big>();
  #wallet = Big(WALLET_START);
  /** Until when a new socket is silent or refused, by `performance.now()`. */
  #silentUntilMs = 0;
  #refusesUntilMs = 0;

  constructor(venue: SimVenue, seed: number, times: UserStreamTimes, now: () => number) {
    this.#faults = new DeliveryFaults(seededRandom(seed));
    this.#times = { ...VENUE_TIMES, ...times };
    this.#now = now;
    this.listenKeys = new ListenKeys(this.#times.listenKeyMs, () => this.expireKey());
    venue.events.on("order", (order) => {
      this.#publish("ORDER_TRADE_UPDATE", () => orderEvent(order, undefined, now()));
    });
    venue.events.on("algo", (order) => this.#publish("ALGO_UPDATE", () => algoEvent(order, now())));
    // Binance tells of the position first. Both events have the trade's time.
    venue.events.on("trade", (trade, order) => {
      const account = venue.account(order.symbol);
      const realizedProfit = this.#settle(trade);
      this.#publish("ACCOUNT_UPDATE", () =>
        accountEvent(
          { position: account.position(), realizedProfit, wallet: this.#wallet },
          trade.timeMs,
          now(),
        ),
      );
      this.#publish("ORDER_TRADE_UPDATE", () => orderEvent(order, trade, now()));
    });
    venue.events.on("moved", (symbol) => {
      this.#publish("ACCOUNT_UPDATE", () => {
        const position = venue.account(symbol).position();
        const realizedProfit = this.#realizedProfitOf(symbol);
        return accountEvent({ position, realizedProfit, wallet: undefined }, position.updateTimeMs, now());
      });
    });
  }

  /** How many sockets are open. */
  get sockets(): number {
    return this.#subscribers.size;
  }

  /** Takes over a socket whose request asks for an upgrade. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { pathname, searchParams } = new URL(request.url ?? "/", "ws://venue");
    if (pathname !== PATH) return refuse(socket, "404 Not Found");
    if (performance.now() < this.#refusesUntilMs) return refuse(socket, "503 Service Unavailable");
    const types = searchParams.get("events");
    this.#server.handleUpgrade(request, socket, head, (opened) => {
      const subscriber = new Subscriber(
        opened,
        {
          ...this.#times,
          listenKey: searchParams.get("listenKey") ?? "",
          types: types === null ? undefined : new Set(types.split("/")),
        },
        this.#faults,
      );
      if (performance.now() < this.#silentUntilMs) subscriber.silence();
      this.#subscribers.add(subscriber);
      opened.once("close", () => this.#subscribers.delete(subscriber));
    });
  }

  /** Ends the active key, if there is one, as if nobody had extended it. */
  expireKey(closes = true): void {
    const listenKey = this.listenKeys.end();
    if (listenKey === undefined) return;
    const event = expiredEvent(listenKey, this.#now());
    for (const subscriber of this.#holders(listenKey, event.type)) subscriber.deliver(event);
    if (!closes) return;
    for (const subscriber of this.#subscribers) {
      if (subscriber.listenKey === listenKey) subscriber.close();
    }
  }

  addFault(fault: StreamFault): void {
    switch (fault.kind) {
      case "expire_key":
        this.expireKey(fault.closes);
        return;
      case "silent":
        this.#silentUntilMs = performance.now() + fault.ms;
        for (const subscriber of this.#subscribers) subscriber.silence();
        return;
      case "disconnect":
        this.#refusesUntilMs = performance.now() + fault.ms;
        for (const subscriber of this.#subscribers) subscriber.cut();
        return;
      default:
        this.#faults.add(fault);
    }
  }

  pendingFaults(): StreamFault[] {
    return this.#faults.pending();
  }

  /** New sockets work again. Those that are silent stay so. */
  clearFaults(): void {
    this.#faults.clear();
    this.#silentUntilMs = 0;
    this.#refusesUntilMs = 0;
  }

  close(): void {
    this.listenKeys.end();
    this.#refusesUntilMs = Infinity;
    for (const subscriber of this.#subscribers) subscriber.cut();
  }

  #publish(type: StreamEventType, write: () => StreamEvent): void {
    const to = this.#holders(this.listenKeys.active, type);
    if (to.length === 0) return;
    const event = write();
    for (const subscriber of to) subscriber.deliver(event);
  }

  #holders(listenKey: string | undefined, type: StreamEventType): Subscriber[] {
    return [...this.#subscribers].filter(
      (subscriber) => subscriber.listenKey === listenKey && subscriber.wants(type),
    );
  }

  #settle(trade: SimTrade): Big {
    const profit = this.#realizedProfitOf(trade.symbol).plus(trade.realizedProfit);
    this.#realizedProfits.set(trade.symbol, profit);
    this.#wallet = this.#wallet.plus(trade.realizedProfit).minus(feeOf(trade));
    return profit;
  }

  #realizedProfitOf(symbol: string): Big {
    return this.#realizedProfits.get(symbol) ?? Big(0);
  }
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}
