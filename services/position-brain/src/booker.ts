/**
 * Books the account's events: gives each symbol's events to its books (booking.ts), stores what adds up, and reads by REST
 * what does not. Only one replica does (lease.ts).
 *
 * - Whoever begins to book, or was disconnected, first reads the whole account. Events that arrive meanwhile are kept.
 * - While the stream is up and the account was read, nobody polls the exchange: each pong to our ping writes the pairs' time
 *   forward, and every `auditMs` a reading of the whole account must agree.
 * - Otherwise the positions are read by REST, as if there were no stream.
 */
import { EventEmitter } from "node:events";
import type { AccountEvent, AccountStream, OrderEvent, OrderOrigin } from "@quantum/exchange";
import { AccountReading, type ReadReason } from "./account-reading.ts";
import { type Decision, type Doubt, type Moment, SymbolBook } from "./booking.ts";
import type { Lease } from "./lease.ts";
import type { Pair } from "./pair.ts";
import type { PairStore } from "./pair-store.ts";
import type { StoredReading } from "./refresh-events.ts";
import type { PairRefresh } from "./refresh.ts";

const TICK_MS = 250;
const MS_PER_SEC = 1_000;

export type ForeignOrigin = Exclude<OrderOrigin, "ours">;

export interface BookerEvents {
  /** This replica books from now on. */
  began: [];
  /** Another one may. */
  ended: [];
  /** A pair from events is stored. */
  booked: [{ symbol: string; pair: Pair }];
  /** The stored pair is another one, whoever stored it. */
  changed: [symbol: string];
  /** A symbol is read by REST, or all are. */
  read: [{ symbol: string | undefined; reason: ReadReason }];
  /** An order that is not ours has filled. */
  foreignFill: [{ origin: ForeignOrigin; event: OrderEvent }];
  failed: [{ symbol: string; error: Error }];
}

export interface BookerOptions {
  stream: AccountStream;
  lease: Lease;
  refresh: PairRefresh;
  pairs: PairStore;
  auditMs: number;
  /** Without a sign of life for this long, the account is read by REST: before its pairs are stale. */
  quietMs: number;
  /** How often symbols that the exchange's own answers do not explain are read. */
  pollMs: number;
}

export class Booker extends EventEmitter<BookerEvents> {
  readonly account: AccountReading;
  readonly #options: BookerOptions;
  readonly #books = new Map<string, SymbolBook>();
  /** To decide on at the end of this turn of the event loop: the events of one execution arrive together. */
  readonly #due = new Set<string>();
  /** Symbols whose pair is being written: at most one write at a time. */
  readonly #writing = new Set<string>();
  readonly #dueAfterWrite = new Set<string>();
  readonly #waits = new Map<string, NodeJS.Timeout>();
  #keptAtMs = Number.NEGATIVE_INFINITY;
  #mismatchesReadAtMs = Number.NEGATIVE_INFINITY;
  #ticks: NodeJS.Timeout | undefined;

  constructor(options: BookerOptions) {
    super();
    this.#options = options;
    this.account = new AccountReading(options);
  }

  async start(): Promise<void> {
    const { stream, lease, refresh } = this.#options;
    stream.on("order", (event) => this.#order(event));
    stream.on("account", (event) => this.#position(event));
    stream.on("up", () => this.#openGap("gap"));
    stream.on("gap", ({ symbol }) => (symbol === undefined ? this.#openGap("gap") : this.#distrust(symbol)));
    lease.on("owned", () => {
      this.#forget();
      this.emit("began");
      this.#openGap("begin");
    });
    lease.on("lost", () => {
      this.#forget();
      this.emit("ended");
    });
    refresh.on("stored", (reading) => this.#begin(reading));
    this.account.on("began", (reason) => this.emit("read", { symbol: undefined, reason }));
    this.account.on("closed", () => this.#books.forEach((_, symbol) => this.#decideSoon(symbol)));
    stream.start();
    await lease.start();
    this.#ticks = setInterval(() => this.#tick(), TICK_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#ticks);
    await this.#options.lease.stop();
    await this.#options.stream.stop();
    this.#forget();
  }

  /** This replica books. */
  get isBooking(): boolean {
    return this.#options.lease.isOwner;
  }

  /** Events keep all pairs current, so nobody needs to poll. */
  get isKept(): boolean {
    const isQuiet = performance.now() - this.#options.stream.aliveAtMs > this.#options.quietMs;
    return this.#isLive && !this.account.isGapOpen && !isQuiet && this.#books.size > 0;
  }

  /** The stored pair, as far as this replica knows. */
  pairOf(symbol: string): Pair | undefined {
    return this.#books.get(symbol)?.stored?.pair;
  }

  get #isLive(): boolean {
    return this.isBooking && this.#options.stream.isUp;
  }

  #order(event: OrderEvent): void {
    if (!this.isBooking) return;
    const { symbol, origin } = event;
    const isNewFill = this.#bookOf(symbol).order(event, this.#moment(symbol));
    if (isNewFill && origin !== "ours") this.emit("foreignFill", { origin, event });
    // The quantity of an order of ours that has only begun is reserved by its permit.
    if (origin !== "ours" || event.executionType !== "NEW") this.#decideSoon(symbol);
  }

  #position({ positions, timeMs }: AccountEvent): void {
    if (!this.isBooking) return;
    for (const position of positions) {
      this.#bookOf(position.symbol).account(position, timeMs, this.#moment(position.symbol));
      this.#decideSoon(position.symbol);
    }
  }

  #begin(reading: StoredReading): void {
    if (!this.isBooking) return;
    this.#bookOf(reading.symbol).begin(reading);
    this.emit("changed", reading.symbol);
    this.#decideSoon(reading.symbol);
  }

  #openGap(doubt: "begin" | "gap"): void {
    if (!this.#isLive) return;
    for (const book of this.#books.values()) book.distrust(doubt, performance.now());
    this.account.openGap(doubt);
  }

  #distrust(symbol: string): void {
    if (!this.isBooking) return;
    this.#bookOf(symbol).distrust("gap", performance.now());
    this.#decideSoon(symbol);
  }

  #decideSoon(symbol: string): void {
    if (this.#due.size === 0) setImmediate(() => this.#decideDue());
    this.#due.add(symbol);
  }

  #decideDue(): void {
    const due = [...this.#due];
    this.#due.clear();
    for (const symbol of due) this.#decide(symbol);
  }

  #decide(symbol: string): void {
    const book = this.#books.get(symbol);
    if (book === undefined || !this.#isLive) return;
    if (this.#writing.has(symbol)) return void this.#dueAfterWrite.add(symbol);
    // All symbols are being read, or the next poll reads them.
    if (this.account.isGapOpen && (book.doubt === "begin" || book.doubt === "gap")) return;
    clearTimeout(this.#waits.get(symbol));
    this.#waits.delete(symbol);
    const decision = book.decide(this.#moment(symbol), this.#aliveSec(symbol));
    if (decision.kind === "store") this.#write(symbol, () => this.#store(symbol, book, decision));
    else if (decision.kind === "read") void this.#read(symbol, book, decision.reason);
    else if (decision.kind === "wait") {
      const timer = setTimeout(() => this.#decide(symbol), decision.untilMs - performance.now());
      this.#waits.set(symbol, timer);
    }
  }

  async #read(symbol: string, book: SymbolBook, reason: Doubt): Promise<void> {
    this.emit("read", { symbol, reason });
    // What it stores begins the books.
    await this.#options.refresh
      .symbol(symbol)
      .catch((error: unknown) => this.emit("failed", { symbol, error: error as Error }));
    book.readingEnded(performance.now());
    this.#decideSoon(symbol);
  }

  async #store(
    symbol: string,
    book: SymbolBook,
    { version, pair }: Extract<Decision, { kind: "store" }>,
  ): Promise<void> {
    // A key of the wrong type is an error here. Looking again removes it.
    const stored = await this.#options.pairs
      .store(symbol, version, pair)
      .catch((error: unknown) => void this.emit("failed", { symbol, error: error as Error }));
    if (stored === undefined) return this.#lookAgain(symbol, book);
    book.store({ pair, version: stored });
    this.emit("changed", symbol);
    this.emit("booked", { symbol, pair });
  }

  /** Another process has written to the pair. */
  async #lookAgain(symbol: string, book: SymbolBook): Promise<void> {
    const { version, snapshot, ledger } = await this.#options.pairs.read(symbol);
    if (snapshot && ledger) book.adopt({ version, pair: { snapshot, ledger } }, performance.now());
    else book.distrust("changed", performance.now());
    this.emit("changed", symbol);
    this.#dueAfterWrite.add(symbol);
  }

  #write(symbol: string, write: () => Promise<void>): void {
    this.#writing.add(symbol);
    write()
      // The next tick decides again.
      .catch((error: unknown) => this.emit("failed", { symbol, error: error as Error }))
      .finally(() => {
        this.#writing.delete(symbol);
        if (this.#dueAfterWrite.delete(symbol)) this.#decideSoon(symbol);
      });
  }

  #tick(): void {
    if (!this.#isLive) return;
    const { aliveAtMs } = this.#options.stream;
    const hasPong = aliveAtMs > this.#keptAtMs;
    if (hasPong) this.#keptAtMs = aliveAtMs;
    for (const [symbol, book] of this.#books) {
      if (!book.isSettled) this.#decideSoon(symbol);
      else if (hasPong) this.#keep(symbol, book);
    }
    if (this.isKept) this.account.auditIfDue();
    this.#readMismatches();
  }

  /** Up to the last pong, nothing was told that is not in the pair. */
  #keep(symbol: string, book: SymbolBook): void {
    const { stored } = book;
    const aliveSec = this.#aliveSec(symbol);
    if (stored === undefined || stored.pair.snapshot.tsEpochSec >= aliveSec) return;
    if (this.#writing.has(symbol)) return;
    const { version } = stored;
    this.#write(symbol, async () => {
      const pair = await this.#options.pairs.keep(symbol, version, stored.pair, aliveSec);
      if (pair === undefined) await this.#lookAgain(symbol, book);
      else if (book.stored === stored) book.store({ version, pair });
    });
  }

  #readMismatches(): void {
    const now = performance.now();
    if (now - this.#mismatchesReadAtMs < this.#options.pollMs) return;
    this.#mismatchesReadAtMs = now;
    for (const [symbol, book] of this.#books) {
      if (book.doubt === "mismatch") void this.#read(symbol, book, "mismatch");
    }
  }

  #bookOf(symbol: string): SymbolBook {
    const known = this.#books.get(symbol);
    if (known !== undefined) return known;
    const book = new SymbolBook();
    this.#books.set(symbol, book);
    return book;
  }

  #moment(symbol: string): Moment {
    return { nowMs: performance.now(), epochMs: this.#options.pairs.now(symbol) };
  }

  /** The last pong, by the clock of the symbol's partition. */
  #aliveSec(symbol: string): number {
    const agoMs = performance.now() - this.#options.stream.aliveAtMs;
    return Math.floor((this.#options.pairs.now(symbol) - agoMs) / MS_PER_SEC);
  }

  #forget(): void {
    for (const timer of this.#waits.values()) clearTimeout(timer);
    this.#waits.clear();
    this.#books.clear();
    this.#due.clear();
    this.account.forgetGap();
  }
}
