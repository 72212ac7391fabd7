/** The governor at work: one answer for each plan, one settlement for each result, and the disarm. */
import { EventEmitter } from "node:events";
import {
  describeIssues,
  type GovernorReason,
  orderFate,
  type Keys,
  type OrderReason,
  planEntry,
  type PlanEntry,
  type PythonJson,
  resultEntry,
  type ResultEntry,
} from "@quantum/contract";
import { type Answer, disarm, type Issued, type Issuer } from "@quantum/permits";
import { type RedisClient, redisNow } from "@quantum/redis";
import { ACK, type Disposition, DONE, type Entry } from "@quantum/streams";
import { executedAmounts } from "./charge.ts";
import { decide, deny, type Rules, type Snapshot } from "./decide.ts";
import { type Concerned, ErrorWindow } from "./errors.ts";
import { BURST_BREACH, BURST_DENIAL, type DisarmReason, REPEATED_ERRORS } from "./reasons.ts";
import { positiveDecimal } from "./units.ts";

const ERROR_WINDOW_MS = 3_600_000;
const REFUSED_FOR_ACCOUNT = "rejected_for_account" satisfies OrderReason;
const EVALUATION_ERROR = "evaluation_error" satisfies GovernorReason;

export interface GovernorOptions {
  redis: RedisClient;
  keys: Keys;
  issuer: Issuer;
  rules: Rules;
  disarmOn: {
    burstBreach: boolean;
    /** So many errors within an hour, of several symbols or the account; Infinity for never. One symbol's hold it. */
    errors: number;
  };
  /** What becomes of an answer: `createSimulation` of the service kit. */
  simulate: () => Promise<"answer" | "deny" | "drop">;
}

type Context = Readonly<Record<string, PythonJson>>;

export interface GovernorEvents {
  answered: [{ plan: PlanEntry; answer: Answer; issued: Issued }];
  /** Charged or released; `before`: this result had been settled before. */
  settled: [{ result: ResultEntry; before: boolean }];
  evaluationFailed: [{ plan: PlanEntry; error: Error }];
  disarmed: [{ reason: DisarmReason; context: Context }];
}

export class Governor extends EventEmitter<GovernorEvents> {
  readonly #options: GovernorOptions;
  readonly #errors: ErrorWindow;

  constructor(options: GovernorOptions) {
    super();
    this.#options = options;
    this.#errors = new ErrorWindow(ERROR_WINDOW_MS, options.disarmOn.errors);
  }

  /**
   * Handles an `apply.plan` entry. The answer acknowledges the entry, so a disarm that it causes comes after it: a crash
   * in between loses the disarm, but not the denial, and the next breach disarms.
   */
  async answerPlan(entry: Entry): Promise<Disposition> {
    const parsed = planEntry.safeParse(entry.fields);
    if (!parsed.success) return { kind: "dead", reason: describeIssues(parsed.error) };
    const plan = parsed.data;
    if (plan.decision !== "EXECUTE") return ACK;
    const fate = await this.#options.simulate();
    if (fate === "drop") return ACK;

    const answer = fate === "deny" ? deny("simulated_denial") : await this.#evaluate(plan);
    const { plan_id: planId, symbol } = plan;
    const issued = await this.#options.issuer.issue({ planId, symbol, attempt: entry.id }, answer);
    this.emit("answered", { plan, answer, issued });
    if (issued.kind === "denied") {
      const about = { symbol, plan_id: planId };
      // A promise denies, too, but it may come to nothing: a dry run, or a plan that ends BLOCKED.
      const isBurst = issued.reason === BURST_DENIAL && issued.byOrders === true;
      if (isBurst && this.#options.disarmOn.burstBreach) await this.#disarm(BURST_BREACH, about);
      if (issued.reason === EVALUATION_ERROR)
        await this.#countError(redisNow(this.#options.redis), { symbol }, { ...about, error: issued.reason });
    }
    return DONE;
  }

  /** Handles an `apply.result` entry; the settlement acknowledges it. */
  async settleResult(entry: Entry): Promise<Disposition> {
    const parsed = resultEntry.safeParse(entry.fields);
    if (!parsed.success) return { kind: "dead", reason: describeIssues(parsed.error) };
    const result = parsed.data;
    const { plan_id: planId, symbol, attempt } = result;
    const fate = orderFate(result);
    if (fate === "untold") return ACK;
    const placed = fate !== "none";
    const executed = placed
      ? { amounts: executedAmounts(result, await this.#markPrice(result)), atMs: addedAtMs(entry) }
      : undefined;
    const settled = await this.#options.issuer.settle(
      { planId, symbol, attempt, entryId: entry.id, placed },
      executed,
    );
    this.emit("settled", { result, before: !settled });
    if (settled && fate === "executed") this.#errors.forgive(symbol);
    if (settled && orderFailed(result)) {
      const concerned = result.reason === REFUSED_FOR_ACCOUNT ? "account" : { symbol };
      await this.#countError(addedAtMs(entry), concerned, { symbol, plan_id: planId, error: result.error });
    }
    return DONE;
  }

  async #evaluate(plan: PlanEntry): Promise<Answer> {
    const errors = this.#errors.held(plan.symbol, redisNow(this.#options.redis));
    if (errors !== undefined) return deny("orders_refused", { errors });
    const snapshot = await this.#snapshot(plan.symbol);
    try {
      return decide(plan, snapshot, redisNow(this.#options.redis), this.#options.rules);
    } catch (error) {
      this.emit("evaluationFailed", { plan, error: error as Error });
      return deny(EVALUATION_ERROR, { what: (error as Error).message });
    }
  }

  /** Undefined if it cannot be read: a key of another type, or Redis away, and then `issue` says so. */
  async #snapshot(symbol: string): Promise<Snapshot | undefined> {
    const { redis, keys } = this.#options;
    return redis.hgetall(keys.snapshot(symbol)).catch(() => undefined);
  }

  /** Of any age: for a result without a price, the last known one is the best there is. */
  async #markPrice({ symbol, avg_price }: ResultEntry) {
    if (positiveDecimal(avg_price) !== undefined) return undefined;
    return positiveDecimal((await this.#snapshot(symbol))?.["mark_price"]);
  }

  async #countError(atMs: number, concerned: Concerned, context: Context): Promise<void> {
    const nowMs = redisNow(this.#options.redis);
    // An entry that was added while Redis's clock was ahead would count for as long as that future is away.
    this.#errors.add(Math.min(atMs, nowMs), concerned);
    const errors = this.#errors.concerningAll(nowMs);
    if (errors === undefined) return;
    await this.#disarm(REPEATED_ERRORS, { ...context, errors, window_sec: ERROR_WINDOW_MS / 1000 });
    this.#errors.clear();
  }

  async #disarm(reason: DisarmReason, context: Context): Promise<void> {
    const { redis, keys } = this.#options;
    if (await disarm(redis, keys, { reason, context })) this.emit("disarmed", { reason, context });
  }
}

/** An order that was tried and failed: refused, or its step failed. Where no order was tried, there is no error. */
function orderFailed(result: ResultEntry): boolean {
  return result.outcome === "REJECTED" || orderFate(result) === "ambiguous";
}

/** By Redis's clock, unlike the timestamps inside, which are their writers'. */
function addedAtMs({ id }: Entry): number {
  return Number(id.split("-")[0]);
}
