/**
 * The books of one symbol, kept from the events of the user data stream. Pure: no I/O, and times are passed in.
 *
 * They begin from a pair that was read by REST. From then on a pair is stored only if fills and position add up
 * (tally.ts) and no order has filled more than was told (order-book.ts). What does not add up within {@link EVENTS_WAIT_MS} is
 * read by REST. Invariant I7: the ledger equals the exchange's fills.
 */
import type { OrderEvent, OrderState, StreamedPosition } from "@quantum/exchange";
import { Big } from "big.js";
import { OrderBook } from "./order-book.ts";
import { agrees, type Ledger, type Pair } from "./pair.ts";
import { withExecutions } from "./reconcile.ts";
import { Tally } from "./tally.ts";

/** The events of one execution arrive within milliseconds of each other. */
export const EVENTS_WAIT_MS = 250;
/** Each further reading in a row that explains nothing waits twice as long. */
const READ_PAUSE_MAX_MS = 5_000;

/**
 * Why a symbol is read by REST. `begin`: nothing is known yet; `gap`: events may be missing; `unexplained`: fills and
 * position do not add up; `changed`: another process has stored a pair that is not known here; `mismatch`: the exchange's
 * own trades do not explain its position.
 */
export type Doubt = "begin" | "gap" | "unexplained" | "changed" | "mismatch";

export type Decision =
  /** The stored pair is what the events say, or it is being read. */
  | { kind: "none" }
  | { kind: "store"; version: string; pair: Pair }
  /** It does not add up yet: decide again after further events, and at this time. */
  | { kind: "wait"; untilMs: number }
  | { kind: "read"; reason: Doubt };

/** A pair as it is stored. */
export interface Stored {
  pair: Pair;
  version: string;
}

/** A stored pair that this process has read from the exchange. */
export interface Reading extends Stored {
  /** The exchange's open orders of the symbol; undefined if they were not read. */
  orders: readonly OrderState[] | undefined;
  /** When reading began, by performance.now(). */
  readAtMs: number;
}

/** The present, by two clocks: performance.now(), and Redis's in ms. */
export interface Moment {
  nowMs: number;
  epochMs: number;
}

const NONE: Decision = { kind: "none" };

export class SymbolBook {
  readonly #orders = new OrderBook();
  readonly #tally = new Tally();
  #stored: Stored | undefined;
  /** How many events have come, and how many of them the pair that was last decided on, or stored, includes. */
  #events = { told: 0, decided: 0, settled: 0 };
  #doubt: Doubt | undefined = "begin";
  /** A reading that began earlier may lack what was missed. */
  #doubtedAtMs = Number.NEGATIVE_INFINITY;
  #waitingSinceMs: number | undefined;
  #isReading = false;
  /** In a row, without an explanation. */
  #readings = 0;
  #readNotBeforeMs = Number.NEGATIVE_INFINITY;

  /** As far as this process knows. */
  get stored(): Stored | undefined {
    return this.#stored;
  }

  /** Why events alone cannot explain the pair; undefined if they do, or may in a moment. */
  get doubt(): Doubt | undefined {
    return this.#doubt;
  }

  /** The stored pair is all that was told, and nothing can have been missed. */
  get isSettled(): boolean {
    return this.#doubt === undefined && !this.#isReading && this.#events.settled === this.#events.told;
  }

  /** @returns whether it has a fill that was not told before */
  order(event: OrderEvent, moment: Moment): boolean {
    this.#events.told += 1;
    const isNewFill = this.#tally.fill(event);
    this.#orders.add(event, isNewFill, moment);
    if (isNewFill) this.#mayReadMismatch(moment.nowMs);
    return isNewFill;
  }

  /** One position of an ACCOUNT_UPDATE with the engine's time `timeMs`. */
  account(position: StreamedPosition, timeMs: number, { nowMs }: Moment): void {
    this.#events.told += 1;
    this.#tally.position(position, timeMs, nowMs);
    this.#mayReadMismatch(nowMs);
  }

  /** A reading has been stored. */
  begin({ pair, version, orders, readAtMs }: Reading): void {
    this.#isReading = false;
    if (orders !== undefined) this.#orders.begin(orders, readAtMs);
    this.#beginFrom({ pair, version }, readAtMs);
    if (!agrees(pair) || readAtMs < this.#doubtedAtMs) return;
    this.#doubt = undefined;
    this.#readNotBeforeMs = Number.NEGATIVE_INFINITY;
  }

  /** Another replica has stored this. */
  adopt(stored: Stored, nowMs: number): void {
    const { anchor } = stored.pair.ledger;
    const base = this.#tally.base;
    // Nothing says when it was read, so no position of an event is older.
    if (anchor === undefined) this.#beginFrom(stored, Number.NEGATIVE_INFINITY);
    else this.#take(stored);
    if (anchor === undefined || (anchor.tradeId === base.tradeId && Big(anchor.amt).eq(base.amt))) return;
    // It is based on fills that may never have been told here.
    this.distrust("changed", nowMs);
  }

  /** A pair that `decide` wanted stored has been stored, or its time was written forward. */
  store(stored: Stored): void {
    this.#take(stored);
    this.#events.settled = this.#events.decided;
  }

  /** Events may be missing. Only a reading that begins from `nowMs` on ends the doubt. */
  distrust(doubt: "begin" | "gap" | "changed", nowMs: number): void {
    this.#doubt = doubt;
    this.#doubtedAtMs = nowMs;
    this.#readings = 0;
    this.#readNotBeforeMs = nowMs;
  }

  /** A reading that `decide` wanted has ended, with or without a result. */
  readingEnded(nowMs: number): void {
    this.#isReading = false;
    this.#readNotBeforeMs = Math.max(this.#readNotBeforeMs, nowMs + this.#readPauseMs());
  }

  /** `aliveSec`: up to when the stream is known to have told everything, by Redis's clock. */
  decide({ nowMs, epochMs }: Moment, aliveSec: number): Decision {
    if (this.#isReading) return NONE;
    const stored = this.#stored;
    if (this.#doubt === undefined && stored !== undefined) {
      const pair = this.#explained(stored.pair, aliveSec, epochMs);
      if (pair !== undefined) {
        this.#waitingSinceMs = undefined;
        this.#readings = 0;
        this.#events.decided = this.#events.told;
        if (!isSame(stored.pair, pair)) return { kind: "store", version: stored.version, pair };
        this.#events.settled = this.#events.told;
        return NONE;
      }
      this.#waitingSinceMs ??= nowMs;
    }
    const waitUntilMs = this.#doubt === undefined ? (this.#waitingSinceMs ?? nowMs) + EVENTS_WAIT_MS : nowMs;
    const untilMs = Math.max(waitUntilMs, this.#readNotBeforeMs);
    if (nowMs < untilMs) return untilMs === Infinity ? NONE : { kind: "wait", untilMs };
    this.#isReading = true;
    this.#waitingSinceMs = undefined;
    this.#readings += 1;
    return { kind: "read", reason: this.#doubt ?? "unexplained" };
  }

  #beginFrom(stored: Stored, readAtMs: number): void {
    this.#take(stored);
    this.#tally.begin(stored.pair, readAtMs);
    if (agrees(stored.pair)) return;
    // The exchange's own answers disagree. Each further change is read, and so does the poll.
    this.#doubt = "mismatch";
    this.#readNotBeforeMs = Infinity;
  }

  #take(stored: Stored): void {
    this.#stored = stored;
    this.#orders.adopt(stored.pair.ledger.booked ?? []);
  }

  #mayReadMismatch(nowMs: number): void {
    if (this.#doubt === "mismatch" && this.#readNotBeforeMs === Infinity)
      this.#readNotBeforeMs = nowMs + EVENTS_WAIT_MS;
  }

  #readPauseMs(): number {
    return Math.min(EVENTS_WAIT_MS * 2 ** (this.#readings - 1), READ_PAUSE_MAX_MS);
  }

  /** The pair that the events explain; undefined if they do not add up. */
  #explained({ snapshot, ledger }: Pair, aliveSec: number, epochMs: number): Pair | undefined {
    const sum = this.#orders.isTold ? this.#tally.sum() : undefined;
    if (sum === undefined) return undefined;
    const { amt, position, timeMs, lastTradeId } = sum;
    const { execution } = this.#orders;
    return {
      snapshot: {
        ...snapshot,
        positionAmt: position.positionAmt,
        entryPrice: position.entryPrice,
        unrealizedPnl: position.unrealizedProfit,
        openReduceQty: this.#orders.openReduceQty(amt),
        updateTimeMs: timeMs,
        tsEpochSec: Math.max(snapshot.tsEpochSec, aliveSec),
      },
      ledger: {
        ...withExecutions(ledger, execution ? [execution] : [], epochMs),
        ...(lastTradeId === undefined
          ? { amt: this.#tally.base.amt, lastTradeId: this.#tally.base.tradeId, anchor: undefined }
          : { amt: amt.toFixed(), lastTradeId, anchor: this.#tally.base, origin: "trades" as const }),
        disagreesSinceMs: undefined,
        booked: this.#orders.booked,
      },
    };
  }
}

/** Whether two pairs say the same, whenever they were read. */
function isSame(one: Pair, other: Pair): boolean {
  const said = ({ snapshot, ledger }: Pair) => [
    Big(snapshot.positionAmt).toFixed(),
    snapshot.entryPrice,
    snapshot.openReduceQty,
    snapshot.updateTimeMs,
    ledger.lastTradeId,
    ledger.booked?.map(({ orderId, qty }) => `${orderId} ${qty}`).join() ?? "",
    ledger.lastExecution?.orderId,
  ];
  const others = said(other);
  return said(one).every((value, index) => value === others[index]);
}

/** Whether the ledger includes everything that this order has executed. */
export function includes(
  { booked = [] }: Ledger,
  { orderId, qty }: { orderId: string; qty: string },
): boolean {
  return booked.some((order) => order.orderId === orderId && Big(order.qty).gte(qty));
}
