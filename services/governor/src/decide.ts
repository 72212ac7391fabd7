/**
 * The governor's decision on one plan. Pure, without clock or I/O. A granted plan is still subject to the limits named
 * in the decision, which are checked in the step that issues the permit.
 */
import {
  type GovernorReason,
  isClosing,
  type PlanEntry,
  PythonFloat,
  type PythonJson,
  readPosition,
  type Step,
} from "@quantum/contract";
import type { Answer, Limit } from "@quantum/permits";
import { Big } from "big.js";
import { chargedUnits } from "./units.ts";

export const HOUR_MS = 3_600_000;
export const FIVE_MINUTES_MS = 300_000;
const WHOLE_PCT = 100;
/** Multiplied, because a division would round. */
const PER_PCT = "0.01";
const CLOSING_ACTION = /^(PARTIAL_\d+|FULL_CLOSE_PROPOSED)$/;

/** Limits are per symbol. A limit of 0 refuses every plan. */
export interface Rules {
  /** From this kill score (0..1) only closing plans are granted. */
  killScoreCritical: number;
  executionsPerHour: number;
  executionsPer5Min: number;
  /** In 1e-8 of a dollar. */
  notionalPerDay: bigint;
  /** In 1e-8 of a coin; only used if the price is unknown. */
  qtyPerDay: bigint;
}

export type Plan = Pick<PlanEntry, "action" | "kill_score" | "steps">;

/** Of the hash `quantum:position:snapshot:{SYM}`, what the decision needs; empty if missing, undefined if unreadable. */
export type SnapshotFields = Readonly<Record<string, string>>;

export function decide(
  plan: Plan,
  snapshot: SnapshotFields | undefined,
  nowMs: number,
  rules: Rules,
): Answer {
  const score = plan.kill_score;
  // Written so that NaN fails the check.
  if (!(score >= 0 && score <= 1)) {
    return deny("evaluation_error", { what: "kill score outside 0..1", kill_score: String(score) });
  }
  if (score >= rules.killScoreCritical && !closes(plan)) {
    return deny("kill_score_critical_non_close", { kill_score: score, critical: rules.killScoreCritical });
  }
  const position = readPosition(snapshot, nowMs);
  if ("flaw" in position) return deny("position_fetch_failed", { what: position.what });
  if (position.amount.eq(0)) return deny("position_fetch_failed", { what: "no position" });

  const { amount, markPrice } = position;
  const qty = amount.abs().times(closePct(plan.steps)).times(PER_PCT);
  const notional = markPrice && qty.times(markPrice);
  const qtyUnits = chargedUnits(qty);
  const notionalUnits = notional && chargedUnits(notional);
  // A computed_qty of 0 would mean "no cap" (docs/wire.md, "Permits").
  if (qtyUnits === undefined || qty.lte(0)) {
    return deny("limit_computation_error", {
      computed_qty: String(qty),
      computed_notional: String(notional),
    });
  }
  const permit = {
    decision: "EXECUTE",
    computed_qty: new PythonFloat(qty.toFixed()),
    computed_notional: new PythonFloat(notional?.toFixed() ?? 0),
    consumed: false,
  };
  const granted = { verdict: "granted", reason: "within_limits", permit } as const;
  // The plan leads to no order, so nothing is counted.
  if (!plan.steps.some(isClosing)) return granted;
  const amounts = { qty: qtyUnits, ...(notionalUnits === undefined ? {} : { notional: notionalUnits }) };
  return { ...granted, reservation: { amounts, limits: limits(rules, notionalUnits !== undefined) } };
}

export function deny(reason: GovernorReason, context: Readonly<Record<string, PythonJson>> = {}): Answer {
  return { verdict: "denied", reason, context };
}

/** A kill score proposes closes, so it must not block them. */
function closes({ action, steps }: Plan): boolean {
  return CLOSING_ACTION.test(action) && steps.some(isClosing);
}

/** How much of the position the plan may close, in percent: all of it, unless its close steps say less. */
function closePct(steps: readonly Step[]): Big {
  const closing = steps.filter(isClosing);
  if (closing.length === 0) return Big(WHOLE_PCT);
  const sum = closing.reduce((total, { pct }) => total.plus(pct ?? WHOLE_PCT), Big(0));
  return sum.gt(WHOLE_PCT) ? Big(WHOLE_PCT) : sum;
}

/** In the order in which the Python governor checked them. Coins are only counted if their price is unknown. */
function limits(rules: Rules, isPriced: boolean): Limit[] {
  const count = (reason: GovernorReason, windowMs: number, max: number): Limit => {
    return { kind: "count", reason, window_ms: windowMs, max };
  };
  const day = (amount: string, max: bigint): Limit => {
    return { kind: "day", reason: "daily_limit_exceeded", amount, max };
  };
  return [
    count("hourly_limit_exceeded", HOUR_MS, rules.executionsPerHour),
    count("burst_limit_exceeded", FIVE_MINUTES_MS, rules.executionsPer5Min),
    isPriced ? day("notional", rules.notionalPerDay) : day("qty", rules.qtyPerDay),
  ];
}
