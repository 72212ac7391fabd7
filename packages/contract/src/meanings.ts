/**
 * What each closed reason means and what an operator looks at: one source for the terminal, the operators' tools and
 * docs/reasons.md. A reason without a meaning fails the type check.
 */
import type { GovernorReason, OrderReason, P33Reason, PLAN_REASONS } from "./reasons.ts";

/** The issuers about which more is known than `meaningOf` says of any. */
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

/** Why nothing can have gone wrong, by where a plan ended. */
export const SAFE_BECAUSE = {
  plan: "the plan asked for no permit: nothing was spent, nothing was sent",
  denial: "a denial gives nothing: without that issuer's permit nothing is spent and nothing is sent",
  wait: "nothing was spent, nothing was sent",
  order:
    "the permits stay spent; nothing is ever sent twice, and a plan opens again only if its order was refused before it was claimed",
} as const;

export const REASON_MEANINGS: Readonly<Record<Reason, ReasonMeaning>> = {
  // The plan's own gates.
  not_in_allowlist: {
    meaning: "the symbol may not be traded here",
    lookAt: "APPLY_ALLOWLIST of the apply-layer, P33_ALLOWLIST of position-brain: both must name the symbol",
  },
  duplicate_plan: {
    meaning: "the same proposal again, or a plan whose permits were spent; it is counted, not published",
    lookAt: "quantum_apply_dedupe_hits_total; `permitctl explain` shows what became of the first one",
  },
  action_hold: { meaning: "the proposal is to hold", lookAt: "nothing: this is normal" },
  action_none: { meaning: "the proposal is to do nothing", lookAt: "nothing: this is normal" },
  update_sl_not_supported: {
    meaning: "the proposal is to move a stop loss, which this pipeline does not do",
    lookAt: "nothing: this is normal",
  },
  proposal_stale: {
    meaning: "the proposal is older than APPLY_PROPOSAL_MAX_AGE_SEC, has no time, or is from the future",
    lookAt:
      "the publisher: last_update_epoch and computed_at_utc of quantum:harvest:proposal:<symbol>, and its clock",
  },
  kill_switch_active: {
    meaning: "the kill switch is on, or its key cannot be read",
    lookAt: "quantum:global:kill_switch: the pipeline goes on when it is deleted; and APPLY_KILL_SWITCH",
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
    meaning: "the governor has disarmed everything until an operator arms it again",
    lookAt: "quantum:governor:disarm tells why; deleting it and today's arms the pipeline again",
  },
  backlog_full: {
    meaning: "a required issuer or the executor is more than APPLY_BACKLOG_MAX entries behind",
    lookAt:
      "quantum_stream_lag and quantum_stream_pending of the groups governor, p33 and executor: who is behind?",
  },
  simulated_source: {
    meaning: "an invented proposal, and the venue is a real one",
    lookAt: "the feed: simulated proposals are refused at a real venue",
  },
  unknown_action: {
    meaning: "the proposal's action is none of the wire's; the reason ends in it",
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
    meaning: "the governor refused; its own reason follows as detail=",
    lookAt: "detail=, the governor's reason; quantum:governor:block:<plan> has the numbers",
  },
  p33_permit_denied: {
    meaning: "position-brain refused; its own reason follows as detail=",
    lookAt: "detail=, P3.3's reason; quantum:position:snapshot:<symbol> and ledger beside it",
  },
  invalid_governor_permit_format: {
    meaning: "the governor's permit is no permit: not JSON, another symbol, no JSON true, or consumed before",
    lookAt: "what governor writes into its permit, and whether two versions of it run",
  },
  invalid_p33_permit_format: {
    meaning:
      "P3.3's permit is no permit: not JSON, another symbol, no JSON true, consumed before, or without a position",
    lookAt: "what p33 writes into its permit, and whether two versions of it run",
  },
  invalid_safe_close_qty: {
    meaning: "P3.3's permit names no quantity above 0",
    lookAt: "quantum:position:snapshot:<symbol>: P3.3 permitted no positive quantity",
  },
  record_lost: {
    meaning: "the plan's record was deleted while it waited, so nobody could spend its permits any more",
    lookAt:
      "who deletes keys below quantum:apply:*? Not the operators' reset: that deletes the dedupe mark as well",
  },
  deadline_passed: {
    meaning: "the permits were complete, but found more than a step after the deadline",
    lookAt: "the apply-layer: its last look came after the deadline; is the machine overloaded?",
  },

  // P3.3's denials.
  no_exchange_snapshot: {
    meaning: "no reconciled position of the symbol is stored",
    lookAt: "position-brain's log: does a refresh fail, is the symbol listed by the exchange?",
  },
  stale_exchange_state: {
    meaning: "the stored position is older than P33_STALE_THRESHOLD_SEC",
    lookAt: "p33_snapshot_age_seconds, p33_refresh_failures_total: does the exchange answer?",
  },
  no_position: { meaning: "there is nothing to close", lookAt: "nothing: this is normal" },
  reconcile_required_side_mismatch: {
    meaning: "exchange and ledger disagree about long or short: the symbol is held",
    lookAt: "p33_exchange_position_amt beside p33_ledger_position_amt; who else trades on the account?",
  },
  reconcile_required_qty_mismatch: {
    meaning: "exchange and ledger differ by more than P33_QTY_TOLERANCE_PCT: the symbol is held",
    lookAt: "p33_exchange_position_amt beside p33_ledger_position_amt; who else trades on the account?",
  },
  cooldown_in_flight: {
    meaning: "our last execution on the symbol is less than P33_COOLDOWN_SEC ago",
    lookAt: "nothing: the next proposal after the pause is judged anew",
  },
  order_unresolved: {
    meaning: "an order of the symbol is in doubt, so its position is not known",
    lookAt: "quantum_orders_in_doubt and the executor's log: does the exchange answer queries?",
  },
  symbol_not_trading: {
    meaning:
      "the exchange takes no order of the symbol, not even to close: it has not opened yet, is being settled, or is closed",
    lookAt: "status of the symbol in exchangeInfo; at a settlement the exchange closes the position itself",
  },
  quantity_promised: {
    meaning: "other plans not yet ended have been promised what is left to close",
    lookAt: "nothing, unless it stays: then which plans of the symbol do not end",
  },
  quantity_below_minimum: {
    meaning: "what may be closed is less than the exchange takes in one order",
    lookAt: "the size of the position; a partial close of a small one cannot be placed",
  },
  already_executed: {
    meaning: "an order of this plan id has been booked, or may have been placed, within the last 7 days",
    lookAt:
      "the plan's first result in apply.result; after the operators' reset, or when its dedupe mark has run out, a plan may be published again",
  },
  simulated_denial: {
    meaning: "refused by the simulation knobs",
    lookAt: "GOV_SIM_DENY_RATE, P33_SIM_DENY_RATE: allowed at a simulated exchange only",
  },

  // The governor's denials.
  kill_score_critical_non_close: {
    meaning: "the kill score is at GOV_KILL_SCORE_CRITICAL or above, and the plan does not close",
    lookAt: "kill_score and action of the plan",
  },
  hourly_limit_exceeded: {
    meaning: "GOV_MAX_EXEC_PER_HOUR executions and open permits within the last hour",
    lookAt: "quantum_govern_exec_count_hour",
  },
  burst_limit_exceeded: {
    meaning:
      "GOV_MAX_EXEC_PER_5MIN executions and open permits within 5 minutes; if the executions alone are as many, this disarms by default",
    lookAt:
      "quantum:governor:block:<plan>: used and max, and orders, those of used that were executed; why so many plans came",
  },
  position_fetch_failed: {
    meaning: "the stored position is missing, malformed, flat, or more than 30 s old",
    lookAt: "p33_snapshot_age_seconds: position-brain writes it, the governor only reads it",
  },
  limit_computation_error: {
    meaning: "the quantity is not above 0",
    lookAt: "quantum:governor:block:<plan> has both numbers",
  },
  daily_limit_exceeded: {
    meaning: "the UTC day's limit of dollars would be exceeded, or of coins where their price is unknown",
    lookAt: "quantum:governor:block:<plan>: used, adding and max, in 1e-8",
  },
  evaluation_error: {
    meaning: "the plan cannot be evaluated: a kill score outside 0..1, or a defect",
    lookAt: "the governor's log; several within an hour disarm",
  },

  orders_refused: {
    meaning:
      "this symbol had as many errors within an hour as would disarm, the last one less than 30 s ago; after 30 s a plan may try again",
    lookAt: "the symbol's last results: detail has the exchange's own words; an executed order ends the hold",
  },

  // The order.
  execute_expired: {
    meaning:
      "the executor came to it so late that APPLY_EXECUTE_TTL_MS since the permits were spent was over, or almost; or the exchange got it after its send window (-1021)",
    lookAt: "the executor: was it down, does quantum_stream_lag of its group grow, is its clock right?",
  },
  handover_lost: {
    meaning:
      "the executor did not get the entry of this plan in time to claim it: the entry was deleted, trimmed or passed over, or the executor was too far behind",
    lookAt: "who else deletes or trims apply.execute or moves its group; the executor's log",
  },
  permits_not_spent: {
    meaning: "an execute entry whose permits nobody spent; it went to the dead letters",
    lookAt: "who else writes to apply.execute: only the consume script may",
  },
  duplicate_order: {
    meaning: "another attempt of the plan has an order, so this one placed none",
    lookAt: "quantum:order:<plan>",
  },
  symbol_unknown: {
    meaning: "the exchange does not list the symbol",
    lookAt: "the venue of the executor: is it position-brain's?",
  },
  paper_plan: {
    meaning: "a plan of paper mode, and the executor's venue is a real one",
    lookAt: "APPLY_MODE of the apply-layer beside BINANCE_BASE_URL of the executor",
  },
  rate_limited: {
    meaning: "the exchange asked for a pause, and turned the order away or would have",
    lookAt: "the executor's log: how long a pause; who else uses the account's limits",
  },
  exchange_unavailable: {
    meaning: "the exchange answered that it had failed, or could not be reached: the order was never created",
    lookAt: "the exchange's status page; /readyz of the executor shows the last error",
  },
  not_placed_by_evidence: {
    meaning:
      "for EXECUTOR_ABSENCE_SEC after the send window the exchange denied the order, and the account's orders, trades and position showed nothing of it",
    lookAt: "why the answer was lost: the executor's log, the network",
  },
  not_placed_by_operator: {
    meaning:
      "the exchange denied the order, its account told neither way, and an operator stated that it was not placed",
    lookAt: "quantum:stream:operator.audit: who stated it, and why",
  },
  rejected_by_exchange: {
    meaning: "the exchange refused the order",
    lookAt: "detail of the result, the exchange's own words; docs/exchange-errors.md",
  },
  rejected_by_rules: {
    meaning: "the exchange refused the order for the symbol's rules or status; they have been read again",
    lookAt:
      "detail of the result, the exchange's own words: steps, minima or status of the symbol have changed",
  },
  rejected_for_account: {
    meaning: "the exchange refused the order for the account: its key, rights, margin or position mode",
    lookAt: "detail of the result, the exchange's own words; several of these disarm everything",
  },
  not_filled: {
    meaning: "the exchange took the order and closed it without a fill",
    lookAt: "detail of the result: the order's last status",
  },
};

/** A reason as it stands in logs and results: `unknown_action_X`, and the wait's reasons of other issuers, included. */
export function meaningOf(reason: string): ReasonMeaning | undefined {
  if (Object.hasOwn(REASON_MEANINGS, reason)) return REASON_MEANINGS[reason as Reason];
  if (reason.startsWith("unknown_action_")) return REASON_MEANINGS.unknown_action;
  const [, malformed, missing, denying] =
    /^(?:invalid_(.+)_permit_format|missing_(.+)|(.+)_permit_denied)$/.exec(reason) ?? [];
  if (malformed !== undefined)
    return {
      meaning: `${malformed}'s permit is no permit`,
      lookAt: `what ${malformed} writes into its permit`,
    };
  if (missing !== undefined)
    return {
      meaning: `${missing} had not answered by the deadline`,
      lookAt: `${missing}: ready, and reading apply.plan?`,
    };
  if (denying !== undefined)
    return {
      meaning: `${denying} refused; its own reason follows as detail=`,
      lookAt: `detail=, ${denying}'s reason`,
    };
  return undefined;
}
