/** For tests: the evidence of a flawless pipeline, for plans with given outcomes. */
import type { IssuerKeys } from "@quantum/signing";
import { Big } from "big.js";
import type { Cancelled, Claim, VenueOrder, VenueTrade } from "./evidence.ts";
import type { ExecuteRecord, PermitRecord, PlanRecord, ResultRecord } from "./history.ts";

export interface PlanOutline {
  symbol: string;
  closePct: number;
  end: "EXECUTED" | "NOT_PLACED" | "BLOCKED" | "SKIP" | "DRY_RUN";
  /** Filled in two trades. */
  split: boolean;
}

/** Like {@link Evidence}, but mutable, so that tests can tamper with it. */
export interface MutableEvidence {
  requiredIssuers: string[];
  issuerKeys: IssuerKeys | undefined;
  operatorKeys: IssuerKeys | undefined;
  attemptOf: (planId: string, attempt: string) => string;
  proposedPlanIds: Set<string>;
  plans: PlanRecord[];
  permits: PermitRecord[];
  executes: ExecuteRecord[];
  results: ResultRecord[];
  orders: VenueOrder[];
  trades: VenueTrade[];
  cancelled: Cancelled[];
  positions: Map<string, string>;
  ledgers: Map<string, string>;
  snapshots: Map<string, string>;
  claims: Map<string, Claim>;
  halts: { fromMs: number; toMs: number }[];
}

/** Long for symbols in the first half of the alphabet, otherwise short, so that both sides occur. */
const startOf = (symbol: string) => (symbol < "M" ? Big(100) : Big(-100));
const STEP_MS = 1_000;
const EXECUTE_TTL_MS = 5_000;

export function evidenceOf(outlines: readonly PlanOutline[]): MutableEvidence {
  const builder = new Builder();
  for (const outline of outlines) builder.addPlan(outline);
  return builder.finish();
}

class Builder {
  readonly #evidence: MutableEvidence = {
    requiredIssuers: ["governor", "p33"],
    issuerKeys: undefined,
    operatorKeys: undefined,
    attemptOf: (_planId, attempt) => attempt,
    proposedPlanIds: new Set(),
    plans: [],
    permits: [],
    executes: [],
    results: [],
    orders: [],
    trades: [],
    cancelled: [],
    positions: new Map(),
    ledgers: new Map(),
    snapshots: new Map(),
    claims: new Map(),
    halts: [],
  };
  readonly #amounts = new Map<string, Big>();
  #count = 0;

  addPlan({ symbol, closePct, end, split }: PlanOutline): void {
    this.#count++;
    const { proposedPlanIds, plans, permits, executes, results } = this.#evidence;
    const planId = this.#count.toString(16).padStart(16, "0");
    const nowMs = this.#count * STEP_MS;
    const attempt = `${nowMs}-0`;
    if (!this.#amounts.has(symbol)) this.#tradeTo(symbol, startOf(symbol));
    proposedPlanIds.add(planId);
    const decision = end === "SKIP" ? "SKIP" : "EXECUTE";
    plans.push({ attempt, planId, symbol, decision, reason: "" });
    const result: ResultRecord = {
      id: `${nowMs + 9}-0`,
      corrects: undefined,
      attempt,
      planId,
      symbol,
      outcome: end,
      executed: end === "EXECUTED",
      reason: end === "BLOCKED" ? "missing_p33" : end === "SKIP" ? "action_hold" : "",
      detail: "",
      orderId: "",
      executedQty: "",
      details: "",
      waitMs: end === "BLOCKED" || end === "DRY_RUN" ? 7 : undefined,
    };
    results.push(result);
    if (end === "SKIP") return;
    permits.push({ attempt, planId, symbol, issuer: "governor", verdict: "granted" });
    if (end === "BLOCKED") return;
    permits.push({ attempt, planId, symbol, issuer: "p33", verdict: "granted" });
    if (end === "DRY_RUN") return;

    const before = this.#amounts.get(symbol) ?? Big(0);
    const quantity = before.abs().times(closePct).div(100);
    executes.push({
      atMs: nowMs + 5,
      attempt,
      attemptNo: 1,
      planId,
      symbol,
      closePct: String(closePct),
      positionAmt: before.toFixed(),
      safeQty: quantity.toFixed(),
      maxQty: undefined,
      validUntilMs: nowMs + 5 + EXECUTE_TTL_MS,
      waitMs: 5,
      signed: "",
    });
    if (end === "NOT_PLACED") return;
    result.orderId = this.#order(symbol, planId, attempt, quantity, split);
    result.executedQty = quantity.toFixed();
    // The simulated strategy does the same.
    if (this.#amounts.get(symbol)?.abs().lt(50)) this.#tradeTo(symbol, startOf(symbol));
  }

  finish(): MutableEvidence {
    for (const [symbol, amount] of this.#amounts) {
      for (const map of [this.#evidence.positions, this.#evidence.ledgers, this.#evidence.snapshots]) {
        map.set(symbol, amount.toFixed());
      }
    }
    return this.#evidence;
  }

  #order(symbol: string, planId: string, attempt: string, quantity: Big, split: boolean): string {
    const nowMs = this.#count * STEP_MS + 8;
    const orderId = `o${this.#count}`;
    const side = this.#amounts.get(symbol)?.gt(0) ? "SELL" : "BUY";
    this.#evidence.claims.set(planId, {
      attempt,
      state: "EXECUTED",
      claimedAtMs: nowMs,
      windowEndMs: nowMs + EXECUTE_TTL_MS,
      isQuestion: false,
    });
    this.#evidence.orders.push({
      symbol,
      orderId,
      clientOrderId: `qp-${planId}-1`,
      side,
      reduceOnly: true,
      origin: "api",
      origQty: quantity.toFixed(),
      executedQty: quantity.toFixed(),
      timestampMs: nowMs,
      recvWindowMs: EXECUTE_TTL_MS,
    });
    const parts = split ? [quantity.div(4), quantity.times(3).div(4)] : [quantity];
    for (const part of parts) this.#trade(symbol, orderId, side, part);
    return orderId;
  }

  #tradeTo(symbol: string, target: Big): void {
    const difference = target.minus(this.#amounts.get(symbol) ?? 0);
    const side = difference.gt(0) ? "BUY" : "SELL";
    const orderId = `s${this.#evidence.trades.length}`;
    this.#evidence.orders.push({
      symbol,
      orderId,
      clientOrderId: `strategy-${orderId}`,
      side,
      reduceOnly: false,
      origin: "strategy",
      origQty: difference.abs().toFixed(),
      executedQty: difference.abs().toFixed(),
    });
    this.#trade(symbol, orderId, side, difference.abs());
  }

  #trade(symbol: string, orderId: string, side: "BUY" | "SELL", quantity: Big): void {
    const { trades } = this.#evidence;
    trades.push({ id: String(trades.length + 1), orderId, symbol, side, qty: quantity.toFixed() });
    const signed = side === "BUY" ? quantity : quantity.times(-1);
    this.#amounts.set(symbol, (this.#amounts.get(symbol) ?? Big(0)).plus(signed));
  }
}
