/**
 * What each reason means and what an operator should check: the source for the terminal, permitctl and
 * docs/reasons.md. A reason without a meaning fails the type check.
 */
import type { GovernorReason, OrderReason, P33Reason, PLAN_REASONS } from "./reasons.ts";

/** The issuers with meanings of their own; `meaningOf` covers others. */
type Issuer = "governor" | "p33";
export type PlanReason = (typeof PLAN_REASONS)[keyof typeof PLAN_REASONS][number];
/** `waitReasons` of these, as a type. */
export type WaitReason =
  | "missing_both"
  | `missing_${Issuer}`
  | `${Issuer}_permit_denied`
  | `invalid_${Issuer}_permit_format`
  | "invalid_safe_close_qty"
  | "kill_switch_active"
  | "disarmed"
  | "deadline_passed"
  | "record_lost";
export type Reason = PlanReason | P33Reason | GovernorReason | WaitReason | OrderReason;

export interface ReasonMeaning {
  meaning: string;
  lookAt: string;
}

/** Why a plan that ended there is safe. */
export const SAFE_BECAUSE = {
  plan: "the plan never asked for a permit: nothing was spent, nothing was sent",
  denial: "without that issuer's permit nothing is spent and nothing is sent",
  wait: "nothing was spent, nothing was sent",
  order:
    "the permits stay spent and no order is ever sent twice; a plan opens again only if its order was refused before it was claimed",
} as const;

export const REASON_MEANINGS: Readonly<Record<Reason, ReasonMeaning>> = {
  // The plan's own gates.
  not_in_allowlist: {
    meaning: "the symbol may not be traded here",
    lookAt: "APPLY_ALLOWLIST of the apply-layer, P33_ALLOWLIST of position-brain: both must name the symbol",
  },
  duplicate_plan: {
    meaning:
      "the same proposal again, or a plan whose permits are already spent; it is counted, not published",
    lookAt: "quantum_apply_dedupe_hits_total; `permitctl explain` shows how the first one ended",
  },
  action_hold: { meaning: "the proposal's action is HOLD", lookAt: "nothing: this is normal" },
  action_none: { meaning: "the proposal's action is NONE", lookAt: "nothing: this is normal" },
  update_sl_not_supported: {
    meaning: "the proposal asks to move a stop loss, which this pipeline does not support",
    lookAt: "nothing: this is normal",
  },
  proposal_stale: {
    meaning:
      "the proposal is older than APPLY_PROPOSAL_MAX_AGE_SEC, has no timestamp, or its timestamp is in the future",
    lookAt:
      "the publisher: last_update_epoch and computed_at_utc of quantum:harvest:proposal:<symbol>, and its clock",
  },
  kill_switch_active: {
    meaning: "the kill switch is on, or its key cannot be read",
    lookAt: "quantum:global:kill_switch (deleting it lets the pipeline continue) and APPLY_KILL_SWITCH",
  },
  kill_score_critical: {
    meaning:
      "the kill score is at K_BLOCK_CRITICAL or above, and the plan does not close (or K_CRITICAL_BLOCKS_CLOSES is on)",
    lookAt: "the proposal's kill_score and action",
  },
  kill_score_warning_risk_increase: {
    meaning: "the kill score is at K_BLOCK_WARNING or above, and the plan neither closes nor holds",
    lookAt: "the proposal's kill_score and action",
  },
  disarmed: {
    meaning: "the governor has disarmed the pipeline until an operator arms it again",
    lookAt: "quantum:governor:disarm holds the reason; `permitctl disarm clear` arms the pipeline again",
  },
  backlog_full: {
    meaning: "a required issuer or the executor is more than APPLY_BACKLOG_MAX entries behind",
    lookAt:
      "quantum_stream_lag and quantum_stream_pending of the groups governor, p33 and executor: which one is behind?",
  },
  simulated_source: {
    meaning: "a simulated proposal at a real venue",
    lookAt: "the feed: simulated proposals are refused at a real venue",
  },
  unknown_action: {
    meaning: "the proposal's action is not one that the wire defines; the reason ends with it",
    lookAt: "harvest_action of quantum:harvest:proposal:<symbol>",
  },
  kill_score_invalid: {
    meaning: "the kill score is not a number from 0 to 1 (NaN included)",
    lookAt: "kill_score of quantum:harvest:proposal:<symbol>",
  },

  // The wait.
  missing_both: {
    meaning: "neither issuer answered by the deadline",
    lookAt: "governor and position-brain: are both ready (/readyz), and do they read apply.plan?",
  },
  missing_governor: {
    meaning: "the governor had not answered by the deadline",
    lookAt: "the governor: is it ready (/readyz), does quantum_stream_lag grow (/metrics)?",
  },
  missing_p33: {
    meaning: "position-brain had not answered by the deadline",
    lookAt: "position-brain: is it ready (/readyz), does quantum_stream_lag grow (/metrics)?",
  },
  governor_permit_denied: {
    meaning: "the governor denied the plan; its reason is in detail=",
    lookAt: "detail=, the governor's reason; quantum:governor:block:<plan> has the figures",
  },
  p33_permit_denied: {
    meaning: "position-brain denied the plan; its reason is in detail=",
    lookAt:
      "detail=, P3.3's reason; compare quantum:position:snapshot:<symbol> with quantum:position:ledger:<symbol>",
  },
  invalid_governor_permit_format: {
    meaning:
      "the governor's permit is malformed: not JSON, for another symbol, without JSON true, or already consumed",
    lookAt: "what the governor writes into its permit, and whether two versions of it run",
  },
  invalid_p33_permit_format: {
    meaning:
      "P3.3's permit is malformed: not JSON, for another symbol, without JSON true, already consumed, or without a position",
    lookAt: "what p33 writes into its permit, and whether two versions of it run",
  },
  invalid_safe_close_qty: {
    meaning: "P3.3's permit has no quantity above 0",
    lookAt: "quantum:position:snapshot:<symbol>, from which P3.3 computes the quantity",
  },
  record_lost: {
    meaning:
      "the plan's record was deleted or damaged while it waited, so its permits could no longer be spent",
    lookAt:
      "who deletes or writes keys below quantum:apply:*? It was not the operators' reset, which also deletes the dedupe mark",
  },
  deadline_passed: {
    meaning:
      "the permits were complete, but were found more than one APPLY_PERMIT_STEP_MS after the deadline",
    lookAt: "the apply-layer: its last attempt came after the deadline; is the machine overloaded?",
  },

  // P3.3's denials.
  no_exchange_snapshot: {
    meaning: "no reconciled position of the symbol is stored",
    lookAt: "position-brain's log: does a refresh fail, does the exchange list the symbol?",
  },
  stale_exchange_state: {
    meaning: "the stored position is older than P33_STALE_THRESHOLD_SEC",
    lookAt: "p33_snapshot_age_seconds, p33_refresh_failures_total: does the exchange answer?",
  },
  no_position: { meaning: "there is nothing to close", lookAt: "nothing: this is normal" },
  reconcile_required_side_mismatch: {
    meaning: "the exchange's position and the ledger have opposite sides: the symbol is held",
    lookAt: "compare p33_exchange_position_amt with p33_ledger_position_amt; who else trades on the account?",
  },
  reconcile_required_qty_mismatch: {
    meaning:
      "the exchange's position and the ledger differ by more than P33_QTY_TOLERANCE_PCT: the symbol is held",
    lookAt: "compare p33_exchange_position_amt with p33_ledger_position_amt; who else trades on the account?",
  },
  cooldown_in_flight: {
    meaning: "our last execution on the symbol is less than P33_COOLDOWN_SEC ago",
    lookAt: "nothing: the next proposal after the pause is decided as usual",
  },
  order_unresolved: {
    meaning: "an order of the symbol is in doubt, so the position is not known",
    lookAt: "quantum_orders_in_doubt and the executor's log: does the exchange answer queries?",
  },
  symbol_not_trading: {
    meaning:
      "the exchange takes no order of the symbol, not even to close: it has not opened yet, is being settled, or is closed",
    lookAt: "status of the symbol in exchangeInfo; at a settlement the exchange closes the position itself",
  },
  quantity_promised: {
    meaning: "reservations of other plans that have not ended cover all that is left to close",
    lookAt: "nothing, unless it persists: then look for plans of the symbol that do not end",
  },
  quantity_below_minimum: {
    meaning: "the quantity that may be closed is below the exchange's minimum for an order",
    lookAt: "the size of the position; a partial close of a small one cannot be placed",
  },
  already_executed: {
    meaning: "an order of this plan id was booked, or may have been placed, within the last 7 days",
    lookAt:
      "the plan's first result in apply.result; a plan can be published again after the operators' reset, or when its dedupe mark has expired",
  },
  simulated_denial: {
    meaning: "denied by a simulation setting",
    lookAt: "GOV_SIM_DENY_RATE, P33_SIM_DENY_RATE: allowed at a simulated exchange only",
  },

  // The governor's denials.
  kill_score_critical_non_close: {
    meaning: "the kill score is at GOV_KILL_SCORE_CRITICAL or above, and the plan does not close",
    lookAt: "kill_score and action of the plan",
  },
  hourly_limit_exceeded: {
    meaning: "there were GOV_MAX_EXEC_PER_HOUR executions and open permits within the last hour",
    lookAt: "quantum_govern_exec_count_hour",
  },
  burst_limit_exceeded: {
    meaning:
      "there were GOV_MAX_EXEC_PER_5MIN executions and open permits within 5 minutes; if executions alone reach the limit, the governor disarms by default",
    lookAt:
      "quantum:governor:block:<plan>: used, max, and orders (the part of used that was executed); why did so many plans come?",
  },
  position_fetch_failed: {
    meaning: "the stored position is missing, malformed, flat, or more than 30 s old",
    lookAt: "p33_snapshot_age_seconds: position-brain writes the position, the governor only reads it",
  },
  limit_computation_error: {
    meaning: "the quantity is not above 0",
    lookAt: "quantum:governor:block:<plan> has the figures",
  },
  daily_limit_exceeded: {
    meaning: "the plan would exceed the UTC day's limit in dollars, or in coins where the price is unknown",
    lookAt: "quantum:governor:block:<plan>: used, adding and max, in units of 1e-8",
  },
  evaluation_error: {
    meaning: "the plan cannot be evaluated: a kill score outside 0..1, or a defect",
    lookAt: "the governor's log; several of these within an hour disarm the pipeline",
  },

  orders_refused: {
    meaning:
      "this symbol had so many errors within an hour that it is held, and the last one was less than 30 s ago; after 30 s a plan may try again",
    lookAt: "the symbol's last results: detail has the exchange's message; an executed order ends the hold",
  },

  // The order.
  execute_expired: {
    meaning:
      "the executor handled it when APPLY_EXECUTE_TTL_MS, counted from the spending of the permits, was over or almost over; or the exchange received it after its send window (-1021)",
    lookAt: "the executor: was it down, does the quantum_stream_lag of its group grow, is its clock right?",
  },
  handover_lost: {
    meaning:
      "the executor did not receive the entry of this plan in time to claim it: the entry was deleted, trimmed or skipped, or the executor was too far behind",
    lookAt: "does anything else delete from or trim apply.execute, or move its group? See the executor's log",
  },
  permits_not_spent: {
    meaning: "an execute entry whose permits were never spent; it is now a dead letter",
    lookAt: "what else writes to apply.execute? Only the consume script may",
  },
  duplicate_order: {
    meaning: "another attempt of the plan has an order, so this attempt did not place one",
    lookAt: "quantum:order:<plan>",
  },
  symbol_unknown: {
    meaning: "the exchange does not list the symbol",
    lookAt: "do executor and position-brain use the same venue?",
  },
  paper_plan: {
    meaning: "a plan of paper mode, but the executor uses a real venue",
    lookAt: "compare APPLY_MODE of the apply-layer with BINANCE_BASE_URL of the executor",
  },
  rate_limited: {
    meaning: "the exchange asked for a pause, so the order was rejected or not sent",
    lookAt: "the executor's log: how long is the pause; who else uses the account's limits?",
  },
  exchange_unavailable: {
    meaning:
      "the exchange reported an internal failure, or could not be reached: the order was never created",
    lookAt: "the exchange's status page; /readyz of the executor shows the last error",
  },
  not_placed_by_evidence: {
    meaning:
      "for EXECUTOR_ABSENCE_SEC after the send window the exchange reported no such order, and the account's orders, trades and position showed no trace of it",
    lookAt: "why was the answer lost? See the executor's log and the network",
  },
  not_placed_by_operator: {
    meaning:
      "the exchange reported no such order, the account's data was inconclusive, and an operator stated that the order was not placed",
    lookAt: "quantum:stream:operator.audit: who stated it, and why?",
  },
  rejected_by_exchange: {
    meaning: "the exchange rejected the order",
    lookAt: "detail of the result (the exchange's message); docs/exchange-errors.md",
  },
  rejected_by_rules: {
    meaning:
      "the exchange rejected the order because of the symbol's rules or status; the rules have been read again",
    lookAt:
      "detail of the result (the exchange's message): steps, minima or status of the symbol have changed",
  },
  rejected_for_account: {
    meaning:
      "the exchange rejected the order because of the account: its key, rights, margin or position mode",
    lookAt: "detail of the result (the exchange's message); several of these disarm the pipeline",
  },
  not_filled: {
    meaning: "the exchange accepted the order and closed it without a fill",
    lookAt: "detail of the result: the order's final status",
  },
};

/** @param reason as in logs and results, including `unknown_action_X` and the wait reasons of other issuers */
export function meaningOf(reason: string): ReasonMeaning | undefined {
  if (Object.hasOwn(REASON_MEANINGS, reason)) return REASON_MEANINGS[reason as Reason];
  if (reason.startsWith("unknown_action_")) return REASON_MEANINGS.unknown_action;
  const [, malformed, missing, denying] =
    /^(?:invalid_(.+)_permit_format|missing_(.+)|(.+)_permit_denied)$/.exec(reason) ?? [];
  if (malformed !== undefined)
    return {
      meaning: `${malformed}'s permit is malformed`,
      lookAt: `what ${malformed} writes into its permit`,
    };
  if (missing !== undefined)
    return {
      meaning: `${missing} had not answered by the deadline`,
      lookAt: `${missing}: is it ready, and does it read apply.plan?`,
    };
  if (denying !== undefined)
    return {
      meaning: `${denying} denied the plan; its reason is in detail=`,
      lookAt: `detail=, ${denying}'s reason`,
    };
  return undefined;
}
