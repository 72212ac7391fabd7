/**
 * Keeps the pairs up to date: reads the exchange, reconciles, and stores both halves under one version.
 *
 * - The stored version is read before the exchange, so a refresh with an older view gets a conflict when it stores.
 * - If a pair does not match, it is read once more, because the position may move between two requests. If it still
 *   does not match while our own orders are in progress, there is no conclusion and the old pair stays. Otherwise the
 *   mismatch is stored, and P3.3 answers `reconcile_required_*` until the trades explain it or an operator accepts the
 *   exchange's position.
 * - If the exchange does not answer, the old pair stays until it is stale. The same applies to a symbol with an unreadable
 *   row: this means neither flat nor without orders.
 */
import { EventEmitter } from "node:events";
import type { Exchange, Trade } from "@quantum/exchange";
import { Big } from "big.js";
import { ForeignWriters } from "./foreign-writers.ts";
import { Lag } from "./lag.ts";
import { type Observation, type Observations, observing, pairOf, requireOne } from "./observation.ts";
import { agrees, type Execution, type Ledger, type Pair } from "./pair.ts";
import type { PairStore, StoredPair } from "./pair-store.ts";
import { WEIGHT_OF_BEGINNING, weightOfAll, weightOfOne } from "./reading-weights.ts";
import {
  isMisbooked,
  mayHaveOrders,
  needsTrades,
  recounted,
  unmoved,
  withExecutions,
  withTrades,
} from "./reconcile.ts";
import type { RefreshEvents, RefreshResult } from "./refresh-events.ts";
import { RefreshQueue } from "./refresh-queue.ts";
import { newestTradeId, tradesAfter } from "./trades.ts";

/** After this many conflicts or moves of the position in a row, the next refresh tries again. */
const TRIES = 5;
/** An inconclusive symbol is read once more after this, then only with all others, because requests are limited. */
const AGAIN_MS = 500;

export interface RefreshOptions {
  exchange: Exchange;
  audits: Exchange;
  pairs: PairStore;
  allowlist: ReadonlySet<string>;
  /** Whether the exchange lists the symbol. If not, its absence from the positions does not make it flat. */
  isListed: (symbol: string) => boolean;
}

export class PairRefresh extends EventEmitter<RefreshEvents> {
  readonly #options: RefreshOptions;
  /** In the allowlist, or with a position when last seen. */
  readonly #symbols: Set<string>;
  readonly #observations: Observations;
  readonly #lag: Lag;
  readonly #queue = new RefreshQueue((symbol, executions) => this.#refresh(symbol, executions));
  /** Symbols that were read an extra time since the last refresh of all. */
  readonly #again = new Map<string, NodeJS.Timeout>();
  /** Symbols whose pair this process has stored. */
  readonly #stored = new Set<string>();
  readonly #foreignWriters = new ForeignWriters();
  #stopped = false;

  constructor(options: RefreshOptions) {
    super();
    this.#options = options;
    this.#observations = observing(options.exchange, options.audits, options.pairs.moment);
    this.#lag = new Lag(options.exchange, options.pairs);
    this.#symbols = new Set(options.allowlist);
  }

  /** Reads all positions and open orders with one request each, and trades only where something moved. */
  async all(): Promise<void> {
    const startedAt = performance.now();
    const { pairs, audits } = this.#options;
    this.#forgetAgain();
    try {
      const before = await pairs.readAll(this.#symbols);
      for (const [symbol, error] of before.failed) this.emit("failed", { symbol, error });
      const closable = mayHaveOrders(before.stored);
      const symbols = await audits.within(weightOfAll(closable.size), () => this.#readAll(before, closable));
      this.emit("refreshed", { symbols, tookMs: performance.now() - startedAt });
    } catch (error) {
      this.emit("failed", { symbol: undefined, error: error as Error });
      throw error;
    }
  }

  /** @returns how many symbols it has read */
  async #readAll(
    before: Awaited<ReturnType<PairStore["readAll"]>>,
    closable: ReadonlySet<string>,
  ): Promise<number> {
    const { allowlist } = this.#options;
    const { observations, unreadable, unread } = await this.#observeAll(closable);
    for (const { position } of observations.values()) {
      if (!Big(position.positionAmt).eq(0)) this.#symbols.add(position.symbol);
    }
    for (const [symbol, problem] of unreadable) {
      if (this.#symbols.has(symbol)) this.emit("failed", { symbol, error: new Error(problem) });
    }
    const seen = [...observations].filter(([symbol]) => this.#symbols.has(symbol));
    await Promise.all(
      seen.map(async ([symbol, observation]) => {
        // A refresh for a result is reading it now, more thoroughly; or its partition does not answer.
        if (this.#queue.isRunning(symbol) || before.failed.has(symbol)) return;
        const stored = before.stored.get(symbol);
        const outcome =
          stored && (await this.#orFailed(symbol, () => this.#reconcile(stored, observation, [])));
        if (stored === undefined || outcome === "conflict")
          await this.#orFailed(symbol, () => this.symbol(symbol));
        // Its last snapshot already says that it is flat.
        if (!allowlist.has(symbol) && Big(observation.position.positionAmt).eq(0))
          this.#symbols.delete(symbol);
      }),
    );
    for (const symbol of unread) {
      if (before.failed.has(symbol)) continue;
      this.#symbols.add(symbol);
      await this.#orFailed(symbol, () => this.symbol(symbol));
    }
    requireOne(allowlist, { observations, unreadable, unread });
    return seen.length;
  }

  /**
   * Refreshes one symbol, starting after this call, and includes the fills of `execution`. Callers that arrive while
   * one is running share the next one. Rejects if the exchange or Redis gives no usable answer.
   */
  symbol(symbol: string, execution?: Execution): Promise<RefreshResult> {
    return this.#queue.request(symbol, execution);
  }

  /**
   * An operator says that the exchange's position is right, whatever the trades say. The ledger restarts from that
   * position, which ends a hold.
   */
  async accept(symbol: string): Promise<RefreshResult> {
    const { pairs, exchange } = this.#options;
    for (let attempt = 1; attempt <= TRIES; attempt++) {
      const stored = await pairs.read(symbol);
      const outcome = await exchange.within(WEIGHT_OF_BEGINNING, async () =>
        this.#beginLedger(stored, await this.#observations.one(symbol), [], "accepted"),
      );
      if (outcome !== "conflict") return outcome;
    }
    return this.#inconclusive(symbol);
  }

  /** Whether a second P3.3 may be running, for /readyz. */
  problems(): string[] {
    return this.#foreignWriters.problems();
  }

  stop(): void {
    this.#stopped = true;
    this.#forgetAgain();
  }

  #forgetAgain(): void {
    for (const timer of this.#again.values()) clearTimeout(timer);
    this.#again.clear();
  }

  async #refresh(symbol: string, executions: readonly Execution[]): Promise<RefreshResult> {
    const { pairs, exchange } = this.#options;
    for (let attempt = 1; attempt <= TRIES; attempt++) {
      const stored = await pairs.read(symbol);
      const outcome = await exchange.within(weightOfOne(stored), async () =>
        this.#reconcile(stored, await this.#observations.one(symbol), executions),
      );
      if (outcome !== "conflict") return outcome;
    }
    return this.#inconclusive(symbol);
  }

  async #reconcile(
    stored: StoredPair,
    observation: Observation,
    executions: readonly Execution[],
  ): Promise<RefreshResult | "conflict"> {
    const { symbol } = observation.position;
    // Before our first store, it is what we found: taking over from another service is not a second writer.
    if (stored.isForeign && this.#stored.has(symbol)) {
      this.#foreignWriters.found(symbol);
      this.emit("overwritten", { symbol });
    }
    if (stored.ledger === undefined) return this.#beginLedger(stored, observation, executions, "bootstrap");

    const ledger = recounted(stored.ledger);
    let found = observation;
    let pair = pairOf(found, ledger);
    if (needsTrades(stored, observation.position) || executions.length > 0) {
      let trades = await this.#tradesAfter(symbol, ledger);
      pair = pairOf(found, withTrades(ledger, trades));
      if (!agrees(pair)) {
        found = await this.#observations.one(symbol);
        trades = await this.#tradesAfter(symbol, ledger);
        pair = pairOf(found, withTrades(ledger, trades));
      }
      if (!(await this.#lag.hasFills(symbol, executions, trades, pair.ledger)))
        return this.#inconclusive(symbol);
      const latest = withExecutions(ledger, executions, this.#options.pairs.now(symbol)).lastExecution;
      if (!agrees(pair) && (await this.#ordersUnderWay(symbol, latest))) return this.#inconclusive(symbol);
      if (this.#lag.isBehindEvents(stored, pair, trades)) return this.#inconclusive(symbol);
      if (isMisbooked(stored.ledger, trades))
        this.emit("misbooked", { symbol, booked: stored.ledger.amt, counted: pair.ledger.amt });
    }
    return this.#store(stored.version, found, pair, executions);
  }

  /** Starts the ledger from the current position, read twice to show that no trade happened in between. */
  async #beginLedger(
    { version, ledger }: StoredPair,
    first: Observation,
    executions: readonly Execution[],
    origin: "bootstrap" | "accepted",
  ): Promise<RefreshResult | "conflict"> {
    const { exchange } = this.#options;
    const { symbol } = first.position;
    let before = first;
    for (let attempt = 1; attempt <= TRIES; attempt++) {
      const newest = await newestTradeId(exchange, symbol);
      const after = await this.#observations.one(symbol);
      const isUnmoved = unmoved(before.position, after.position);
      // A flat position has no time of its last change: only the trades show whether it was open in between.
      if (isUnmoved && newest === (await newestTradeId(exchange, symbol))) {
        const { lastExecution, booked } = ledger ?? {};
        const begun = { amt: after.position.positionAmt, lastTradeId: newest, origin, lastExecution, booked };
        return this.#store(version, after, pairOf(after, begun), executions);
      }
      before = after;
    }
    return this.#inconclusive(symbol);
  }

  async #store(
    version: string,
    { position: { symbol }, orders, readAtMs }: Observation,
    { snapshot, ledger }: Pair,
    executions: readonly Execution[],
  ): Promise<"stored" | "conflict"> {
    const nowMs = this.#options.pairs.now(symbol);
    const disagreesSinceMs = agrees({ snapshot, ledger })
      ? undefined
      : Math.min(ledger.disagreesSinceMs ?? nowMs, nowMs);
    const pair = { snapshot, ledger: { ...withExecutions(ledger, executions, nowMs), disagreesSinceMs } };
    const stored = await this.#options.pairs.store(symbol, version, pair);
    if (stored === undefined) return "conflict";
    this.#stored.add(symbol);
    this.emit("stored", { symbol, pair, version: stored, orders, readAtMs });
    return "stored";
  }

  /** Whether one of our orders is unsettled, has a queued result, or was executed just now. */
  async #ordersUnderWay(symbol: string, latest: Execution | undefined): Promise<boolean> {
    if (latest !== undefined && this.#lag.isRecent(symbol, latest)) return true;
    return (
      this.#queue.waitingExecutions(symbol) > 0 || (await this.#options.pairs.unsettledOrders(symbol)) > 0
    );
  }

  #inconclusive(symbol: string): RefreshResult {
    this.emit("inconclusive", { symbol });
    if (!this.#stopped && !this.#again.has(symbol)) {
      const timer = setTimeout(() => void this.#orFailed(symbol, () => this.symbol(symbol)), AGAIN_MS);
      this.#again.set(symbol, timer.unref());
    }
    return "inconclusive";
  }

  async #orFailed<T>(symbol: string, step: () => Promise<T>): Promise<T | undefined> {
    try {
      return await step();
    } catch (error) {
      this.emit("failed", { symbol, error: error as Error });
      return undefined;
    }
  }

  #tradesAfter(symbol: string, ledger: Ledger): Promise<Trade[]> {
    return tradesAfter(this.#options.exchange, symbol, ledger.lastTradeId);
  }

  /** A row without a symbol may belong to any symbol, so each of ours is then queried separately. */
  async #observeAll(closable: ReadonlySet<string>) {
    const listed = [...this.#symbols].filter(this.#options.isListed);
    const observed = await this.#observations.all(listed, closable.intersection(new Set(listed)));
    if (!observed.isUnattributed) return observed;
    const { observations, unreadable } = observed;
    for (const symbol of this.#symbols) {
      observations.delete(symbol);
      const one = await this.#orFailed(symbol, () => this.#observations.one(symbol));
      if (one !== undefined) observations.set(symbol, one);
      // Its failure has already been reported.
      unreadable.delete(symbol);
    }
    return observed;
  }
}
