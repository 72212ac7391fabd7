/** The governor's policy: its decision, what an execution is charged, and the disarm. */
import { EventEmitter } from "node:events";
import {
  type GovernorReason,
  orderFate,
  type OrderReason,
  type PlanEntry,
  POSITION_FIELDS,
  positiveDecimalOf,
  presentFields,
  type PythonJson,
  readableFields,
  type ResultEntry,
  snapshotRecord,
} from "@quantum/contract";
import type { Policy, ReadResult, Settlement } from "@quantum/issuer";
import { type Answer, createDisarm, type Issued } from "@quantum/permits";
import { redisNow } from "@quantum/redis";
import type { Partition, Partitions } from "@quantum/service-kit";
import { executedAmounts } from "./charge.ts";
import { decide, deny, type Rules, type SnapshotFields } from "./decide.ts";
import { type Concerned, ErrorWindow } from "./errors.ts";
import { BURST_BREACH, BURST_DENIAL, type DisarmReason, REPEATED_ERRORS } from "./reasons.ts";

const ERROR_WINDOW_MS = 3_600_000;
const REFUSED_FOR_ACCOUNT = "rejected_for_account" satisfies OrderReason;
const EVALUATION_ERROR = "evaluation_error" satisfies GovernorReason;

export interface GovernorOptions {
  partitions: Partitions;
  rules: Rules;
  disarmOn: {
    burstBreach: boolean;
    /**
     * Errors within an hour, from several symbols or the account; Infinity: never. One symbol's errors only hold it.
     */
    errors: number;
  };
}

type Context = Readonly<Record<string, PythonJson>>;

export interface GovernorEvents {
  evaluationFailed: [{ plan: PlanEntry; error: Error }];
  disarmed: [{ reason: DisarmReason; context: Context }];
  /** It is tried again. */
  disarmFailed: [{ partition: Partition; error: Error }];
  /** At last, after a failure. */
  disarmReached: [{ partition: Partition }];
}

export class Governor extends EventEmitter<GovernorEvents> implements Policy {
  readonly #options: GovernorOptions;
  readonly #errors: ErrorWindow;
  readonly #disarmAll: ReturnType<typeof createDisarm>;

  constructor(options: GovernorOptions) {
    super();
    this.#options = options;
    this.#errors = new ErrorWindow(ERROR_WINDOW_MS, options.disarmOn.errors);
    this.#disarmAll = createDisarm({
      places: options.partitions.all,
      onFailed: (partition, error) => this.emit("disarmFailed", { partition, error }),
      onReached: (partition) => this.emit("disarmReached", { partition }),
    });
  }

  async decide(plan: PlanEntry): Promise<Answer> {
    const errors = this.#errors.held(plan.symbol, this.#now(plan.symbol));
    if (errors !== undefined) return deny("orders_refused", { errors });
    const snapshot = await this.#snapshot(plan.symbol);
    try {
      return decide(plan, snapshot, this.#now(plan.symbol), this.#options.rules);
    } catch (error) {
      this.emit("evaluationFailed", { plan, error: error as Error });
      return deny(EVALUATION_ERROR, { what: (error as Error).message });
    }
  }

  /**
   * Runs after the answer has acknowledged the plan. A crash in between loses the disarm but not the denial, and the
   * next breach disarms.
   */
  async answered({ plan_id, symbol }: PlanEntry, issued: Issued): Promise<void> {
    if (issued.kind !== "denied") return;
    const about = { symbol, plan_id };
    // A denial because of reservations alone does not count: they may not lead to an order (a dry run, or a BLOCKED
    // plan).
    const isBurst = issued.reason === BURST_DENIAL && issued.byOrders === true;
    if (isBurst && this.#options.disarmOn.burstBreach) await this.#disarm(BURST_BREACH, about);
    if (issued.reason === EVALUATION_ERROR)
      await this.#countError(symbol, this.#now(symbol), { symbol }, { ...about, error: issued.reason });
  }

  async settling({ result, addedAtMs: atMs, placed }: ReadResult): Promise<Settlement> {
    if (!placed) return { kind: "settle" };
    const amounts = executedAmounts(result, await this.#markPrice(result));
    return { kind: "settle", executed: { amounts, atMs } };
  }

  async settled({ result, addedAtMs }: ReadResult, before: boolean): Promise<void> {
    if (before) return;
    const { plan_id, symbol, error } = result;
    if (orderFate(result) === "executed") this.#errors.forgive(symbol);
    if (!orderFailed(result)) return;
    const concerned = result.reason === REFUSED_FOR_ACCOUNT ? "account" : { symbol };
    await this.#countError(symbol, addedAtMs, concerned, { symbol, plan_id, error });
  }

  /** By the clock that dates what the symbol's partition keeps. */
  #now(symbol: string): number {
    return redisNow(this.#options.partitions.of(symbol).redis);
  }

  /**
   * Undefined if it cannot be read: the key has the wrong type, or Redis is unreachable, which `issue` then reports.
   */
  async #snapshot(symbol: string): Promise<SnapshotFields | undefined> {
    const { redis, keys } = this.#options.partitions.of(symbol);
    const values = await redis.hmget(keys.snapshot(symbol), ...POSITION_FIELDS).catch(() => undefined);
    return values && presentFields(POSITION_FIELDS, values);
  }

  /** May be of any age: for a result without a price, the last known price is the best available. */
  async #markPrice({ symbol, avg_price }: ResultEntry) {
    if (positiveDecimalOf(avg_price) !== undefined) return undefined;
    const hash = (await this.#snapshot(symbol)) ?? {};
    return positiveDecimalOf(readableFields(snapshotRecord, hash, POSITION_FIELDS).fields.mark_price);
  }

  /** @param symbol whose partition has dated the error */
  async #countError(symbol: string, atMs: number, concerned: Concerned, context: Context): Promise<void> {
    const nowMs = this.#now(symbol);
    // Otherwise an entry added while Redis's clock was ahead would count until that time has passed.
    this.#errors.add(Math.min(atMs, nowMs), concerned);
    const errors = this.#errors.concerningAll(nowMs);
    if (errors === undefined) return;
    await this.#disarm(REPEATED_ERRORS, { ...context, errors, window_sec: ERROR_WINDOW_MS / 1000 });
    this.#errors.clear();
  }

  async #disarm(reason: DisarmReason, context: Context): Promise<void> {
    await this.#disarmAll({ reason, context }, () => this.emit("disarmed", { reason, context }));
  }
}

/** Whether an order was tried and failed: refused, or its step failed. Without an order there is no error. */
function orderFailed(result: ResultEntry): boolean {
  return result.outcome === "REJECTED" || orderFate(result) === "ambiguous";
}
