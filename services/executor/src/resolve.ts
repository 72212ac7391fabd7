/**
 * Resolves orders in doubt by querying the exchange, with growing pauses, until there is evidence to settle them (I9).
 * For a day it also queries orders that ended by evidence of absence, in case one appears. Redis stores which orders to
 * query and when (`queries.ts`); the timer here only triggers a check.
 */
import { type Exchange, ExchangeError, isClosed } from "@quantum/exchange";
import type { Attempts, Watched } from "@quantum/service-kit";
import type { AccountFinding } from "./account.ts";
import {
  NOT_PLACED_BY_EVIDENCE,
  type Settlement,
  settlementAsStated,
  settlementOf,
  weigh,
} from "./decide.ts";
import type { ExecutorEvents } from "./events.ts";
import { priced, queryAccount, queryOrder } from "./evidence.ts";
import type { Answer, KnownOrder } from "./order.ts";
import type { Orders } from "./orders.ts";
import { LATE_LONGEST_PAUSE_MS, LONGEST_PAUSE_MS, type Queries } from "./queries.ts";

/** Interval of checks when nothing is due. Also the pause after an error from Redis. */
const LOOK_EVERY_MS = 1_000;
const FIRST_PAUSE_MS = 250;
const LATE_FIRST_PAUSE_MS = 2_000;

export interface ResolverOptions {
  orders: Orders;
  queries: Queries;
  exchange: Exchange;
  events: ExecutorEvents;
  /** How long the exchange must deny an order. */
  absenceMs: number;
  /** Orders queried at the same time. */
  concurrency: number;
}

export class Resolver {
  readonly #options: ResolverOptions;
  readonly #querying = new Map<string, Promise<void>>();
  /** When the exchange last denied each order, by the monotonic clock of the query. */
  readonly #deniedAt = new Map<string, number>();
  /** When orders that ended by evidence are due, by the monotonic clock. There may be many, each for a day. */
  readonly #lateUntil = new Map<string, number>();
  #settling: Attempts | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;
  /** Something may have become due since the last check. */
  #isWoken = false;
  #endRest: () => void = () => undefined;

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  start(progress: Watched): void {
    this.#settling = progress.attempts("settle orders in doubt");
    this.#running = this.#run(progress.loop("look for unsettled orders", LOOK_EVERY_MS, () => this.#look()));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.wake();
    await this.#running;
    await Promise.all(this.#querying.values());
  }

  /** Checks at once for due orders. */
  wake = (): void => {
    this.#isWoken = true;
    this.#endRest();
  };

  async #run(look: () => Promise<number>): Promise<void> {
    while (!this.#stopped) {
      this.#isWoken = false;
      const dueInMs = await look().catch((error: unknown) => {
        this.#failed("look for unsettled orders", error as Error);
        return LOOK_EVERY_MS;
      });
      if (!this.#isWoken) await this.#rest(Math.min(dueInMs, LOOK_EVERY_MS));
    }
  }

  async #rest(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#endRest = resolve;
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
  }

  /**
   * Starts the queries that are due.
   * @returns in how many ms the next one is due
   */
  async #look(): Promise<number> {
    const { queries, concurrency } = this.#options;
    const listed = await queries.list();
    const listedIds = new Set(listed.map(({ planId }) => planId));
    for (const times of [this.#deniedAt, this.#lateUntil])
      for (const planId of times.keys()) if (!listedIds.has(planId)) times.delete(planId);
    let dueInMs = LOOK_EVERY_MS;
    for (const { planId, symbol, isLate } of listed) {
      if (this.#querying.has(planId) || this.#querying.size >= concurrency) continue;
      if (isLate && (this.#lateUntil.get(planId) ?? 0) > performance.now()) continue;
      // One unreadable order must not stop the queries for others.
      const taken = await queries.take(planId, symbol).catch((error: unknown) => error as Error);
      if (taken instanceof Error) this.#cannotSettle(planId, taken);
      else if ("order" in taken) this.#querying.set(planId, this.#begin(taken.order, taken.queriedBefore));
      else {
        dueInMs = Math.min(dueInMs, taken.dueInMs);
        // An order that needs no query leaves the list, unless its claim is rebuilt.
        if (isLate && Number.isFinite(taken.dueInMs))
          this.#lateUntil.set(planId, performance.now() + taken.dueInMs);
      }
    }
    return dueInMs;
  }

  async #begin(order: KnownOrder, queriedBefore: number): Promise<void> {
    try {
      await this.#query(order, queriedBefore);
      this.#settling?.ended(order.planId);
    } catch (error) {
      this.#cannotSettle(order.planId, error as Error);
    }
    this.#querying.delete(order.planId);
    this.wake();
  }

  #cannotSettle(planId: string, error: Error): void {
    this.#settling?.failed(planId, error.message);
    this.#failed(`query the order of plan ${planId}`, error);
  }

  #query(order: KnownOrder, queriedBefore: number): Promise<void> {
    return order.state === "NOT_PLACED"
      ? this.#queryLate(order, queriedBefore)
      : this.#queryOpen(order, queriedBefore);
  }

  async #queryOpen(order: KnownOrder, queriedBefore: number): Promise<void> {
    const { orders, exchange, events } = this.#options;
    if (order.state === "SENT" && !(await orders.doubt(order, "claimant_silent"))) return;
    const queriedAt = performance.now();
    const evidence = await this.#orFailed(order, () => queryOrder(exchange, order));
    const finding = evidence && weigh(evidence, order.windowEndMs);
    if (finding?.kind === "settle") return this.#settle(order, finding.settlement);

    const noted = await this.#note(order, finding?.answer ?? "none", queriedAt, queriedBefore);
    if (noted === undefined) return;
    const { planId, symbol, clientOrderId } = order;
    let why = evidence?.order?.status ?? "the exchange knows no such order";
    // An operator's statement replaces missing evidence from the account, but not what the exchange says about the
    // order.
    const stated = finding?.answer === "absent" ? order.stated : undefined;
    if (evidence !== undefined && (noted.isLongEnough || stated !== undefined)) {
      const account = await this.#orFailed(order, () => queryAccount(exchange, order, evidence.venueMs));
      if (account !== undefined && account.kind !== "found" && stated !== undefined)
        return orders.settle(order, settlementAsStated(stated), "query");
      if (account?.kind === "silent") return orders.settle(order, NOT_PLACED_BY_EVIDENCE, "query");
      if (account?.kind === "found") {
        const found = await this.#orFailed(order, () => exchange.orderById(symbol, account.orderId));
        if (found !== undefined && isClosed(found)) return this.#settle(order, settlementOf(found));
      }
      why = whyOpen(account);
    }
    events.emit("unresolved", {
      planId,
      symbol,
      clientOrderId,
      absentMs: noted.absentMs,
      asked: queriedBefore + 1,
      why,
    });
  }

  async #settle(order: KnownOrder, settlement: Settlement): Promise<void> {
    const { orders, exchange } = this.#options;
    await orders.settle(order, await priced(exchange, order.symbol, settlement), "query");
  }

  /** If the order appears with a fill, its result is corrected. An order that never filled needs no correction. */
  async #queryLate(order: KnownOrder, queriedBefore: number): Promise<void> {
    const { exchange, queries } = this.#options;
    const evidence = await this.#orFailed(order, () => queryOrder(exchange, order));
    const settlement =
      evidence?.order !== undefined && isClosed(evidence.order) ? settlementOf(evidence.order) : undefined;
    if (settlement?.outcome === "EXECUTED")
      await queries.adopt(order, await priced(exchange, order.symbol, settlement));
    else await this.#note(order, "none", performance.now(), queriedBefore);
  }

  async #note(order: KnownOrder, answer: Answer, queriedAt: number, queriedBefore: number) {
    const { planId } = order;
    const { queries, absenceMs } = this.#options;
    const deniedAt = this.#deniedAt.get(planId);
    if (answer === "absent") this.#deniedAt.set(planId, queriedAt);
    const elapsedMs = deniedAt === undefined ? 0 : queriedAt - deniedAt;
    return queries.note(order, { answer, elapsedMs, absenceMs, pauseMs: pauseMs(order, queriedBefore) });
  }

  /** An unreadable answer is not an empty one: it counts for neither side. */
  async #orFailed<T>(order: KnownOrder, query: () => Promise<T>): Promise<T | undefined> {
    try {
      return await query();
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
      this.#failed(`query ${order.clientOrderId}`, error);
      return undefined;
    }
  }

  #failed(doing: string, error: Error): void {
    this.#options.events.emit("failed", { doing, error });
  }
}

function whyOpen(account: AccountFinding | undefined): string {
  switch (account?.kind) {
    case "moved":
      return account.why;
    case "found":
      return `the account lists it as order ${account.orderId}, and no query finds it closed`;
    default:
      return "the account cannot be read";
  }
}

function pauseMs({ state }: KnownOrder, queriedBefore: number): number {
  const [first, longest] =
    state === "NOT_PLACED"
      ? [LATE_FIRST_PAUSE_MS, LATE_LONGEST_PAUSE_MS]
      : [FIRST_PAUSE_MS, LONGEST_PAUSE_MS];
  return Math.min(first * 2 ** queriedBefore, longest);
}
