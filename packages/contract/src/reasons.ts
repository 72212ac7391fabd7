/**
 * The closed sets of reasons. They are metric labels, so nothing outside these sets may become one.
 * Source: docs/wire.md, "Reasons"; the ones marked "ours" extend the Python services' sets.
 */
import type { IssuerName } from "@quantum/topology";

export const DECISIONS = ["EXECUTE", "SKIP", "BLOCKED", "ERROR"] as const;
export type Decision = (typeof DECISIONS)[number];

export const HARVEST_ACTIONS = [
  "NONE",
  "PARTIAL_25",
  "PARTIAL_50",
  "PARTIAL_75",
  "FULL_CLOSE_PROPOSED",
  "UPDATE_SL",
  "HOLD",
] as const;
export type HarvestAction = (typeof HARVEST_ACTIONS)[number];

/** Why a plan never waited for permits. `unknown_action_{action}` is reported as `unknown_action` in metrics. */
export const PLAN_REASONS = {
  SKIP: [
    "not_in_allowlist",
    "duplicate_plan",
    "action_hold",
    "action_none",
    "update_sl_not_supported",
    "proposal_stale",
  ],
  BLOCKED: [
    "kill_switch_active",
    "kill_switch_unread",
    "kill_score_critical",
    "kill_score_warning_risk_increase",
    "disarmed",
    "backlog_full",
    "simulated_source",
  ],
  ERROR: ["unknown_action", "kill_score_invalid"],
} as const;

/** Why P3.3 refuses, in the order in which it checks; the first two and those after `cooldown_in_flight` are ours. */
export const P33_REASONS = [
  "not_in_allowlist",
  "exchange_paused",
  "no_exchange_snapshot",
  "stale_exchange_state",
  "no_position",
  "reconcile_required_side_mismatch",
  "reconcile_required_qty_mismatch",
  "cooldown_in_flight",
  "order_unresolved",
  "symbol_not_trading",
  "dust",
  "venue_budget",
  "quantity_promised",
  "quantity_below_minimum",
  "already_executed",
  "kill_switch_active",
  "kill_switch_unread",
  "disarmed",
  "simulated_denial",
] as const;
export type P33Reason = (typeof P33_REASONS)[number];

/** Why the governor refuses; the last six are ours. */
export const GOVERNOR_REASONS = [
  "kill_score_critical_non_close",
  "hourly_limit_exceeded",
  "burst_limit_exceeded",
  "position_fetch_failed",
  "limit_computation_error",
  "daily_limit_exceeded",
  "evaluation_error",
  "orders_refused",
  "already_executed",
  "kill_switch_active",
  "kill_switch_unread",
  "disarmed",
  "simulated_denial",
] as const;
export type GovernorReason = (typeof GOVERNOR_REASONS)[number];

/** Why P2.6 refuses, in the order in which it checks; the last five are the issuing script's and the simulation's. */
export const P26_REASONS = [
  "not_in_allowlist",
  "portfolio_state_unknown",
  "no_position",
  "portfolio_cooldown",
  "already_executed",
  "kill_switch_active",
  "kill_switch_unread",
  "disarmed",
  "simulated_denial",
] as const;
export type P26Reason = (typeof P26_REASONS)[number];

/** Why each issuer of the topology denies. */
export const DENIAL_REASONS: Readonly<Record<IssuerName, readonly string[]>> = {
  governor: GOVERNOR_REASONS,
  p33: P33_REASONS,
  p26: P26_REASONS,
};

/** Why P2.6 grants as it does: without a cap, with one, or without one that it would set in a calmer portfolio. */
export const P26_GRANTS = [
  "portfolio_no_cap",
  "portfolio_cap_cold",
  "portfolio_cap_cooldown",
  "portfolio_risk_off",
] as const;
export type P26Grant = (typeof P26_GRANTS)[number];

/** Why the wait for permits ended in BLOCKED, for a list of required issuers. */
export function waitReasons(issuers: readonly string[]): string[] {
  const missing: string[] = [];
  // Every non-empty subset in list order: at most a handful of issuers, so at most a handful of labels.
  for (let mask = 1; mask < 1 << issuers.length; mask++) {
    const lacking = issuers.filter((_, index) => (mask & (1 << index)) !== 0);
    missing.push(missingReason(lacking, issuers.length));
  }
  return [
    ...missing,
    ...issuers.map((issuer) => `${issuer}_permit_denied`),
    ...issuers.map((issuer) => `invalid_${issuer}_permit_format`),
    "invalid_safe_close_qty",
    "kill_switch_active",
    "kill_switch_unread",
    "disarmed",
    "deadline_passed",
    "record_lost",
  ];
}

/** `missing_both` when both of two lack, else `missing_` and the issuers in list order, joined by `_`. */
function missingReason(lacking: readonly string[], required: number): string {
  return required === 2 && lacking.length === 2 ? "missing_both" : `missing_${lacking.join("_")}`;
}

/**
 * Why an order whose permits were spent was never placed (outcome NOT_PLACED) or refused by the exchange (REJECTED). Those
 * that begin with `exit_` are of operators' plans.
 */
export const ORDER_REASONS = [
  "execute_expired",
  "handover_lost",
  "kill_switch_active",
  "kill_switch_unread",
  "disarmed",
  "permits_not_spent",
  "permit_unsigned",
  "permit_forged",
  "permit_expired",
  "permit_of_another_plan",
  "duplicate_order",
  "quantity_below_minimum",
  "symbol_unknown",
  "rate_limited",
  "venue_budget",
  "exchange_unavailable",
  "journal_failed",
  "claim_not_replicated",
  "exit_drill",
  "exit_flat",
  "exit_side_changed",
  "exit_not_enrolled",
  "not_placed_by_evidence",
  "not_placed_by_operator",
  "rejected_by_exchange",
  "rejected_by_rules",
  "rejected_for_account",
  "not_filled",
] as const;
export type OrderReason = (typeof ORDER_REASONS)[number];

/** How an attempt ends; the terminal value of a result's `outcome`. */
export const OUTCOMES = [
  "SKIP",
  "BLOCKED",
  "ERROR",
  "DRY_RUN",
  "EXECUTED",
  "REJECTED",
  "NOT_PLACED",
] as const;
export type Outcome = (typeof OUTCOMES)[number];
