/**
 * The user data stream: connects, reconnects for ever, and turns messages into events.
 *
 * - It counts as up once the venue has answered a ping, and for as long as it goes on answering.
 * - Whatever may have cost an event is told as a `gap`; so is every connection, by `up`.
 * - A listener's error stays here. It must not end the connection, and least of all the process.
 */
import { EventEmitter } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type {
  AccountStream,
  AccountStreamEvents,
  GapReason,
  UnreadableEvent,
} from "./account-stream-port.ts";
import { ListenKey, type ListenKeys } from "./listen-key.ts";
import { ACCOUNT_EVENTS, ORDER_EVENTS, readStreamMessage } from "./stream-events.ts";
import { openSocket, type StreamEnd, type StreamSocket } from "./stream-socket.ts";
import type { Venue } from "./venue.ts";

export interface AccountStreamOptions {
  venue: Venue;
  /** Where the listen key comes from. */
  exchange: ListenKeys;
  /** No positions, which would only be parsed and dropped. Default: false. */
  ordersOnly?: boolean;
  /** For tests. */
  timing?: Partial<StreamTiming>;
}

export interface StreamTiming {
  readonly pingEveryMs: number;
  /** A connection whose pings are not answered for this long is dropped. */
  readonly silenceMs: number;
  readonly extendKeyEveryMs: number;
  /** After an extension that failed. */
  readonly extendKeyAgainMs: number;
  /** Pauses between attempts double from the first to the longest, each shortened by up to half at random. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
}

const TIMING: StreamTiming = {
  pingEveryMs: 3_000,
  silenceMs: 10_000,
  // The venue recommends every 30 minutes, and forgets a key after 60: time enough for further attempts.
  extendKeyEveryMs: 30 * 60_000,
  extendKeyAgainMs: 60_000,
  firstPauseMs: 250,
  // The venue allows 300 attempts in 5 minutes per address. Three processes behind one make 240 with this.
  longestPauseMs: 5_000,
};

/** A connection that held this long was a good one: the next attempt comes soon. */
const GOOD_MS = 10_000;
/** A shorter interruption, such as the daily one, is no problem for /readyz. */
const DOWN_TELLS_MS = 5_000;
const MS_PER_SECOND = 1_000;

/** Events that their listeners act on: if one throws, something may not have been booked. */
const BOOKED: ReadonlySet<keyof AccountStreamEvents> = new Set(["order", "account", "up"]);

export function createAccountStream(options: AccountStreamOptions): AccountStream {
  return new BinanceAccountStream(options);
}

class BinanceAccountStream extends EventEmitter<AccountStreamEvents> implements AccountStream {
  readonly #options: AccountStreamOptions;
  readonly #timing: StreamTiming;
  readonly #key: ListenKey;
  readonly #stopped = new AbortController();
  #socket: StreamSocket | undefined;
  #aliveAtMs = -Infinity;
  #upSinceMs: number | undefined;
  #lastEventAtMs: number | undefined;
  #down: { sinceMs: number; problem: string } | undefined;
  /** The last `E` of each type, over this connection. */
  #last = { order: -Infinity, account: -Infinity };

  constructor(options: AccountStreamOptions) {
    super();
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    this.#key = new ListenKey(options.exchange, this.#timing, () => this.#keyExpired());
  }

  get isUp(): boolean {
    return this.#upSinceMs !== undefined && performance.now() - this.#aliveAtMs < this.#timing.silenceMs;
  }

  get aliveAtMs(): number {
    return this.#aliveAtMs;
  }

  get upSinceMs(): number | undefined {
    return this.#upSinceMs;
  }

  get lastEventAtMs(): number | undefined {
    return this.#lastEventAtMs;
  }

  problems(): string[] {
    const now = performance.now();
    if (this.#upSinceMs !== undefined) {
      const silentMs = now - this.#aliveAtMs;
      return silentMs < this.#timing.silenceMs ? [] : [describe(silentMs, "it does not answer our pings")];
    }
    if (this.#down === undefined || now - this.#down.sinceMs < DOWN_TELLS_MS) return [];
    return [describe(now - this.#down.sinceMs, this.#down.problem)];
  }

  start(): void {
    this.#down = { sinceMs: performance.now(), problem: "it has not connected yet" };
    void this.#keepConnected();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#key.stop();
    this.#upSinceMs = undefined;
    this.#socket?.drop({ reason: "closed", problem: "stopped" });
    await this.#socket?.ended;
  }

  distrust(): void {
    this.#socket?.drop({ reason: "distrusted", problem: "it did not send what it should have" });
  }

  async #keepConnected(): Promise<void> {
    const { signal } = this.#stopped;
    let end: StreamEnd | undefined;
    for (let failures = 0; !signal.aborted; failures += 1) {
      end = await this.#connection(end?.reason === "refused");
      if (signal.aborted) return;
      if (this.#upSinceMs !== undefined && performance.now() - this.#upSinceMs >= GOOD_MS) failures = 0;
      this.#wentDown(end);
      await delay(this.#pauseMs(failures), undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  #pauseMs(failures: number): number {
    const { firstPauseMs, longestPauseMs } = this.#timing;
    return Math.min(longestPauseMs, firstPauseMs * 2 ** failures) * (0.5 + Math.random() / 2);
  }

  /** From the listen key to the end of the connection. */
  async #connection(wasRefused: boolean): Promise<StreamEnd> {
    let listenKey: string;
    try {
      listenKey = await this.#key.get(wasRefused);
    } catch (error) {
      return { reason: "no_key", problem: `no listen key: ${(error as Error).message}` };
    }
    if (this.#stopped.signal.aborted) return { reason: "closed", problem: "stopped" };
    this.#last = { order: -Infinity, account: -Infinity };
    const events = this.#options.ordersOnly === true ? ORDER_EVENTS : ACCOUNT_EVENTS;
    const query = `listenKey=${encodeURIComponent(listenKey)}&events=${events.join("/")}`;
    this.#socket = openSocket({
      url: `${this.#options.venue.streamUrl}/private/ws?${query}`,
      listenKey,
      pingEveryMs: this.#timing.pingEveryMs,
      silenceMs: this.#timing.silenceMs,
      onText: (text) => this.#take(text),
      onAlive: (atMs) => this.#alive(atMs),
    });
    return this.#socket.ended;
  }

  #alive(atMs: number): void {
    this.#aliveAtMs = atMs;
    if (this.#upSinceMs === undefined) {
      this.#upSinceMs = performance.now();
      this.#down = undefined;
      this.#tell("up", () => this.emit("up"));
    }
    this.#tell("alive", () => this.emit("alive", { atMs }));
  }

  #wentDown({ reason, problem }: StreamEnd): void {
    this.#down = { sinceMs: this.#down?.sinceMs ?? performance.now(), problem };
    this.#upSinceMs = undefined;
    this.#tell("down", () => this.emit("down", { reason, problem }));
  }

  #keyExpired(): void {
    this.#key.forget();
    this.#gap("key_expired", undefined);
    this.#socket?.drop({ reason: "key_expired", problem: "the listen key has expired" });
  }

  #take(text: string): void {
    this.#lastEventAtMs = performance.now();
    const message = readStreamMessage(text);
    switch (message.kind) {
      case "order": {
        const { event } = message;
        this.#watchTime("order", event.eventTimeMs);
        this.#tell("order", () => this.emit("order", event), event.symbol);
        return;
      }
      case "account": {
        const { event, unreadable } = message;
        this.#watchTime("account", event.eventTimeMs);
        this.#tell("account", () => this.emit("account", event));
        for (const row of unreadable) this.#unreadable(row);
        return;
      }
      case "unreadable":
        this.#unreadable(message.unreadable);
        return;
      case "key_expired":
        this.#keyExpired();
        return;
      case "ignored":
    }
  }

  /** The venue sends the events of one type in the order of `E`. If it does not, any may have been lost. */
  #watchTime(type: "order" | "account", eventTimeMs: number): void {
    if (eventTimeMs < this.#last[type]) this.#gap("time_back", undefined);
    this.#last[type] = eventTimeMs;
  }

  #unreadable(event: UnreadableEvent): void {
    this.#tell("unreadable", () => this.emit("unreadable", event));
    this.#gap("unreadable", event.symbol);
  }

  #gap(reason: GapReason, symbol: string | undefined): void {
    this.#tell("gap", () => this.emit("gap", { reason, symbol }));
  }

  /** @param symbol whose event this is; undefined if it is not one symbol's */
  #tell(name: keyof AccountStreamEvents, emit: () => boolean, symbol?: string): void {
    try {
      emit();
    } catch (error) {
      this.#listenerFailed(error as Error, name, symbol);
    }
  }

  #listenerFailed(error: Error, name: keyof AccountStreamEvents, symbol?: string): void {
    // Nobody is left to tell.
    if (name === "failed") return;
    this.#tell("failed", () => this.emit("failed", { error }));
    if (BOOKED.has(name)) this.#gap("handler_failed", symbol);
  }
}

function describe(forMs: number, why: string): string {
  return `the exchange has sent no account events for ${Math.round(forMs / MS_PER_SECOND)} s: ${why}; the account is read by requests`;
}
