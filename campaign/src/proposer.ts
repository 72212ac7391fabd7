/**
 * The load: one plan per symbol at a time, at a limited rate, plus bursts. This is not harvest-feed: it survives every
 * fault and knows when it proposed what.
 */
import { setTimeout as delay } from "node:timers/promises";
import { flatFields, parseProposal, planId } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import type { PipelineRedis, ResultRecord } from "@quantum/harness";
import { untilAnswered } from "./answered.ts";
import type { RandomChoices } from "./random-choices.ts";
import type { Recorder } from "./record.ts";

export interface Proposed {
  symbol: string;
  /** By performance.now(). */
  atMs: number;
  /** Part of a burst, most of which must be refused. */
  burst: boolean;
  endedAtMs?: number;
  outcome?: ResultRecord["outcome"];
  reason?: string;
}

/** How long to leave a symbol alone after a plan without an order. */
const PAUSE_MS = 300;
/** As the publisher measures it for a calm market. */
const SIGMA = "0.011";

/** How long to wait for a plan to end. */
const OVERDUE_MS = 30_000;
const LOOK_MS = 5;
const REPEATED = 20;
const ACTIONS = ["PARTIAL_25", "PARTIAL_50", "PARTIAL_75", "FULL_CLOSE_PROPOSED"] as const;

export class Proposer {
  readonly plans = new Map<string, Proposed>();
  readonly #intake: PipelineRedis["intake"];
  readonly #random: RandomChoices;
  readonly #ratePerSec: number;
  /** Of each symbol that an issuer reads the volatility of: its hash, which may be in any slot. */
  readonly #hashes: readonly { redis: RedisClient; key: string }[];
  readonly #freeAtMs: Map<string, number>;
  readonly #order: string[] = [];
  readonly #latest: { symbol: string; fields: Record<string, string> }[] = [];
  readonly #underWay = new Map<string, string>();
  readonly #stopping = new AbortController();
  #micros = 0;
  #paused = false;
  #publishing: Promise<void> = Promise.resolve();
  #running: Promise<void> = Promise.resolve();

  constructor(options: {
    stored: PipelineRedis;
    random: RandomChoices;
    history: Recorder;
    symbols: readonly string[];
    ratePerSec: number;
    /** An issuer reads the symbols' volatility from the proposals' hashes. */
    writesSigma: boolean;
  }) {
    const { intake, connectTo } = options.stored;
    this.#intake = intake;
    this.#random = options.random;
    this.#ratePerSec = options.ratePerSec;
    const keys = options.symbols.map((symbol) => intake.keys.proposal(symbol));
    this.#hashes = options.writesSigma ? keys.map((key) => ({ key, redis: connectTo(key) })) : [];
    this.#freeAtMs = new Map(options.symbols.map((symbol) => [symbol, 0]));
    options.history.on("result", (result) => this.#ended(result));
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Publishes this many proposals at once, over all symbols. */
  async burst(count: number): Promise<void> {
    const symbols = [...this.#freeAtMs.keys()];
    await Promise.all(
      Array.from({ length: count }, () =>
        this.#propose(this.#random.pick(symbols), true).catch(() => undefined),
      ),
    );
  }

  /** The plans proposed since then, latest first. */
  *since(atMs: number): Generator<[string, Proposed]> {
    for (let index = this.#order.length - 1; index >= 0; index -= 1) {
      const id = this.#order[index] ?? "";
      const plan = this.plans.get(id);
      if (plan === undefined) continue;
      if (plan.atMs < atMs) return;
      yield [id, plan];
    }
  }

  /** Stops publishing until {@link resume}. Resolves when no publication is in progress. */
  async pause(): Promise<void> {
    this.#paused = true;
    await this.#publishing;
  }

  resume(): void {
    this.#paused = false;
  }

  /** Publishes the latest proposals again, like a publisher that is unsure of them. They give the same plans. */
  async repeat(): Promise<void> {
    for (const { symbol, fields } of [...this.#latest])
      await untilAnswered(() => this.#publish(symbol, fields));
  }

  /** Redis has lost data, so plans of these symbols, by default of all, that have not ended may never end. */
  forget(isLost: (symbol: string) => boolean = () => true): void {
    for (const [id, plan] of this.plans)
      if (plan.endedAtMs === undefined && isLost(plan.symbol)) this.plans.delete(id);
    for (const symbol of this.#underWay.keys()) if (isLost(symbol)) this.#underWay.delete(symbol);
  }

  /** Its proposal was deleted, so it may never become a plan. */
  abandon(id: string): void {
    const plan = this.plans.get(id);
    if (plan === undefined || plan.endedAtMs !== undefined) return;
    this.plans.delete(id);
    if (this.#underWay.get(plan.symbol) === id) this.#underWay.delete(plan.symbol);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const symbol = this.#paused ? undefined : this.#free();
      if (symbol === undefined) {
        await delay(LOOK_MS);
        continue;
      }
      this.#publishing = this.#propose(symbol, false).catch(() => {
        // Without an answer, the proposal may or may not exist; the streams will show it.
        this.#freeAtMs.set(symbol, performance.now() + PAUSE_MS);
      });
      await this.#publishing;
      await delay(1000 / this.#ratePerSec);
    }
  }

  /** The symbol that has waited longest, if any may have another plan. */
  #free(): string | undefined {
    const now = performance.now();
    let longest: { symbol: string; sinceMs: number } | undefined;
    for (const [symbol, freeAtMs] of this.#freeAtMs) {
      const plan = this.plans.get(this.#underWay.get(symbol) ?? "");
      if (plan !== undefined && now - plan.atMs < OVERDUE_MS) continue;
      if (freeAtMs > now || (longest !== undefined && longest.sinceMs <= freeAtMs)) continue;
      longest = { symbol, sinceMs: freeAtMs };
    }
    return longest?.symbol;
  }

  async #propose(symbol: string, burst: boolean): Promise<void> {
    const fields = this.#fields();
    this.#latest.push({ symbol, fields });
    if (this.#latest.length > REPEATED) this.#latest.shift();
    const parsed = parseProposal(symbol, fields);
    if (!parsed.ok) throw new Error(`no proposal: ${parsed.problems.join("; ")}`);
    const id = planId(parsed.proposal);
    // Counted before it is published, so that its result cannot arrive unnoticed.
    this.#order.push(id);
    this.plans.set(id, { symbol, atMs: performance.now(), burst });
    if (!burst) this.#underWay.set(symbol, id);
    try {
      await this.#publish(symbol, fields);
    } catch (error) {
      this.plans.delete(id);
      if (this.#underWay.get(symbol) === id) this.#underWay.delete(symbol);
      throw error;
    }
  }

  async #publish(symbol: string, fields: Record<string, string>): Promise<void> {
    const { last_update_epoch = "" } = fields;
    // Of all symbols, as the publisher does. Not a whole proposal, so the apply-layer does not take it for one.
    await Promise.all(
      this.#hashes.map(({ redis, key }) => redis.hset(key, { sigma: SIGMA, last_update_epoch })),
    );
    const { redis, keys } = this.#intake;
    await redis.xadd(keys.streams.proposal, "*", "symbol", symbol, ...flatFields(fields));
  }

  #fields(): Record<string, string> {
    const nowMs = Date.now();
    // Always a new value, because a proposal's time makes its plan unique.
    this.#micros = Math.max(this.#micros + 1, nowMs * 1000);
    const toMs = new Date(Math.floor(this.#micros / 1000)).toISOString().slice(0, -1);
    return {
      harvest_action: this.#random.pick(ACTIONS),
      new_sl_proposed: "None",
      R_net: "3.0",
      kill_score: "0.3",
      computed_at_utc: `${toMs}${String(this.#micros % 1000).padStart(3, "0")}`,
      last_update_epoch: String(Math.floor(nowMs / 1000)),
      source: "chaos",
    };
  }

  #ended({ planId, symbol, outcome, reason, detail }: ResultRecord): void {
    const plan = this.plans.get(planId);
    // After a loss of Redis and a repeated proposal, a plan may end twice within a fault. The first end counts.
    if (plan === undefined || plan.endedAtMs !== undefined) return;
    const now = performance.now();
    plan.endedAtMs = now;
    plan.outcome = outcome;
    plan.reason = detail === "" ? reason : detail;
    if (this.#underWay.get(symbol) !== planId) return;
    this.#underWay.delete(symbol);
    this.#freeAtMs.set(symbol, outcome === "EXECUTED" ? now : now + PAUSE_MS);
  }
}
