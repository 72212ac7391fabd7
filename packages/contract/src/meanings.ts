/**
 * What each reason means and what an operator should check: the source for the terminal, permitctl and
 * docs/reasons.md. A reason without a meaning fails the type check.
 */
import { DENIAL_MEANINGS, type ReasonMeaning } from "./denial-meanings.ts";
import type { GovernorReason, OrderReason, P26Grant, P26Reason, P33Reason, PLAN_REASONS } from "./reasons.ts";

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
  | "kill_switch_unread"
  | "disarmed"
  | "deadline_passed"
  | "record_lost";
export type Reason =
  | PlanReason
  | P33Reason
  | GovernorReason
  | P26Reason
  | P26Grant
  | WaitReason
  | OrderReason;

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
    lookAt:
      "APPLY_ALLOWLIST of the apply-layer, P33_ALLOWLIST of position-brain and, if its permit is needed, P26_ALLOWLIST of portfolio-gate: each must name the symbol",
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
    lookAt:
      "`permitctl status`: who turned it on, and why; `permitctl kill off` lets the pipeline continue. Otherwise quantum:global:kill_switch and APPLY_KILL_SWITCH",
  },
  kill_switch_unread: {
    meaning:
      "with several partitions: for 5 s no apply-layer has told the symbol's partition that quantum:global:kill_switch is off, so it counts as on",
    lookAt:
      "/readyz of the apply-layers, which read it every 250 ms: does one run, and does it reach the Redis that has the key?",
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

  ...DENIAL_MEANINGS,

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
  permit_unsigned: {
    meaning:
      "a required issuer's permit is not signed, and EXECUTOR_UNSIGNED_ISSUERS does not name the issuer; nothing was sent",
    lookAt: "has the issuer a signing key (<PREFIX>_SIGNING_KEY_FILE)? If it has: who wrote this permit?",
  },
  permit_forged: {
    meaning:
      "a permit's signature is not that of a key in EXECUTOR_ISSUER_KEYS_FILE (an operator's: EXECUTOR_OPERATOR_KEYS_FILE), or its text cannot be read; nothing was sent",
    lookAt:
      "was a key replaced without adding its public key (permitctl keys show)? If not, somebody else writes to Redis: runbook PermitsDistrusted",
  },
  permit_expired: {
    meaning: "a permit was signed too long ago, or in the future, by Redis's clock; nothing was sent",
    lookAt: "has Redis's clock been stepped? If not, an old permit was used again: runbook PermitsDistrusted",
  },
  permit_of_another_plan: {
    meaning:
      "a permit was signed for another plan, attempt, symbol, share, mode, venue or account; nothing was sent",
    lookAt:
      "detail of the result names the field. Compare EXECUTOR_MODE, BINANCE_BASE_URL and QUANTUM_ACCOUNT of executor and issuers with APPLY_MODE",
  },
  duplicate_order: {
    meaning: "another attempt of the plan has an order, so this attempt did not place one",
    lookAt: "quantum:order:<plan>",
  },
  symbol_unknown: {
    meaning: "the exchange does not list the symbol",
    lookAt: "do executor and position-brain use the same venue?",
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
  journal_failed: {
    meaning: "the executor could not record the order in its journal on disk, so it did not send it",
    lookAt: "detail of the result, and the disk of EXECUTOR_STATE_DIR: is it full, or read-only?",
  },
  claim_not_replicated: {
    meaning:
      "fewer than EXECUTOR_MIN_REPLICAS replicas acknowledged the order's claim in time, so the executor did not send it",
    lookAt: "detail of the result; INFO replication of the master: do its replicas follow it?",
  },
  exit_drill: {
    meaning:
      "an operator's drill ended: the executor has read the account and reported, and has cancelled and sent nothing",
    lookAt: "its report: exit_report of the plan's record, as permitctl flatten --drill shows it",
  },
  exit_flat: {
    meaning: "an operator's exit found the position closed already: nothing was left to send",
    lookAt: "nothing: this is how an exit ends",
  },
  exit_side_changed: {
    meaning:
      "the position is on the other side than the one that the operator was shown and signed; nothing was sent",
    lookAt: "who else trades the account? Look at the position again, then repeat the exit",
  },
  exit_not_enrolled: {
    meaning:
      "the executor has no operators' keys (EXECUTOR_OPERATOR_KEYS_FILE), so it obeys no operator's exit; nothing was sent",
    lookAt:
      "close at the venue's own site (runbook BreakGlass), then enrol two operators: permitctl keys new --operator",
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
