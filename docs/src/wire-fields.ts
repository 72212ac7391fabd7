/** What each stream and each of its fields is for. A field of a schema that is not explained fails the type check. */
import {
  type AuditEntry,
  auditEntry,
  type ExecuteEntry,
  executeEntry,
  type Keys,
  type PermitEntry,
  permitEntry,
  type PlanEntry,
  planEntry,
  type ResultEntry,
  resultEntry,
} from "@quantum/contract";
import type { z } from "zod";

export type StreamName = keyof Keys["streams"];

interface StreamFields {
  /** Who writes it, in which groups it is read. */
  about: string;
  /** What our readers check; undefined: nothing of ours reads it as a message. */
  schema?: z.ZodObject;
  /** In the order in which they are written. */
  meanings: Readonly<Record<string, string>>;
}

type Explains<Message> = { [Field in keyof Required<Message>]: string };

const PLAN_ID = "16 hex digits of the proposal's fingerprint";
const ATTEMPT = "*ours*: id of the `apply.plan` entry, which is the attempt's id";

/** Also the fields of the `harvest.proposal` stream, which has `symbol` besides. */
export const PROPOSAL_FIELDS: Readonly<Record<string, string>> = {
  harvest_action: "required: NONE, PARTIAL_25, PARTIAL_50, PARTIAL_75, FULL_CLOSE_PROPOSED, UPDATE_SL, HOLD",
  kill_score: "required: 0 to 1",
  new_sl_proposed: "float or `None`; part of the plan id",
  R_net: "float",
  risk_unit: "float",
  cost_est: "float",
  reason_codes: "text",
  k_regime_flip: "float",
  k_sigma_spike: "float",
  k_ts_drop: "float",
  k_age_penalty: "float",
  sigma: "float",
  ts: "trend strength, float",
  p_trend: "float",
  p_mr: "float",
  p_chop: "float",
  computed_at_utc: "ISO time, without a zone or with `Z`; part of the plan id",
  last_update_epoch: "epoch seconds; judges the proposal's age, before `computed_at_utc`",
  position_side: "text",
  position_age_sec: "float",
  position_current_price: "float",
  position_entry_price: "float",
  position_unrealized_pnl: "float",
  source: "who made it; `simulated` in it is refused at a real venue",
};

export const FIELDS: Readonly<Record<StreamName, StreamFields>> = {
  proposal: {
    about:
      "Written by the publisher, beside the proposal hash or instead of it. Group `apply-layer`. Fields: `symbol` and those of the proposal hash below.",
    meanings: { symbol: "letters of any script, digits and `_`, byte for byte as the venue lists it" },
  },
  plan: {
    about:
      "Written by the apply-layer when a plan opens, and for an operator's [exit](#exits). Groups: one an issuer, with its name.",
    schema: planEntry,
    meanings: {
      plan_id: PLAN_ID,
      symbol: "symbol",
      action: "the proposal's `harvest_action`; of an exit its step",
      kill_score: "the proposal's",
      k_regime_flip: "the proposal's, or `0.0`",
      k_sigma_spike: "the proposal's, or `0.0`",
      k_ts_drop: "the proposal's, or `0.0`",
      k_age_penalty: "the proposal's, or `0.0`",
      new_sl_proposed: "the proposal's, or empty",
      R_net: "the proposal's, or empty",
      decision: "issuers answer EXECUTE only; the others have their result already",
      reason_codes: "comma-separated list of [reasons](reasons.md)",
      steps:
        'list of `{"step", "type": "market_reduce_only", "side": "close", "pct"}`; `pct` of the position, 0 to 100',
      close_qty: "always `0.0`",
      price: "always empty",
      timestamp: "epoch seconds",
      attempt_no: "*ours*: 1, or more for a plan that was opened again",
      mode: "*ours*: `dry_run`, `paper`, `testnet`",
      deadline_ms: "*ours*: when the wait for permits ends",
      class:
        "*ours*: only of an [exit](#exits): `operator` or `drill`. Issuers acknowledge such a plan and do not answer it",
    } satisfies Explains<PlanEntry> & Record<string, string>,
  },
  permit: {
    about:
      "*Ours.* Written by the issuing script, one entry a permit decision: the wake-up and the audit trail. Group `apply-layer`, read without acknowledgement: an entry is a hint.",
    schema: permitEntry,
    meanings: {
      plan_id: PLAN_ID,
      symbol: "symbol",
      issuer: "`governor`, `p33`, or another one",
      verdict: "yes or no",
      reason: "the issuer's own [reason](reasons.md)",
      issued_at_ms: "when",
      attempt: ATTEMPT,
      answers: "how many issuers have answered the attempt, this one included; empty without a record",
    } satisfies Explains<PermitEntry>,
  },
  execute: {
    about:
      "*Ours.* Written by the consume script, with the permits spent in the same step, and by the operators' exit. Group `executor`.",
    schema: executeEntry,
    meanings: {
      plan_id: PLAN_ID,
      symbol: "symbol",
      attempt: ATTEMPT,
      attempt_no: "part of the client order id",
      step: "`CLOSE_FULL`, `CLOSE_PARTIAL_75`, `CLOSE_PARTIAL_50`, `CLOSE_PARTIAL_25`; of an exit `CLOSE_BY_OPERATOR`",
      close_pct: "of the position, in percent",
      position_amt:
        "P3.3's position, signed: the side of the order follows from it; of an exit the one that the operator was shown, of a drill `0`",
      safe_qty:
        "P3.3's safe quantity; of an exit the largest quantity that the operator signed, of a drill `0`",
      max_qty: "the smallest positive `computed_qty` of the permits; empty: no cap",
      valid_until_ms: "after this the order is not claimed any more",
      opened_at_ms: "when the plan was opened",
      proposed_ms: "when its proposal was made, by the publisher's clock, not later than the opening",
      mode: "`APPLY_MODE` at the opening; an executor in another `EXECUTOR_MODE` refuses it",
      signed:
        "the spent permits' [signed texts](#signed-permits), one a line, in the order of `APPLY_REQUIRED_PERMITS`; of an exit the operator's alone; they are kept nowhere else",
      wait_ms: "how long the plan waited",
    } satisfies Explains<ExecuteEntry> & Record<string, string>,
  },
  result: {
    about:
      "One terminal entry an attempt, and at most one correction of it. Written by the scripts that end a plan: open (SKIP, BLOCKED, ERROR), consume (BLOCKED, dry run), claim, settle and, for a correction, adopt (orders). Groups: one an issuer, with its name; the apply-layer reads it for its metrics, without acknowledgement.",
    schema: resultEntry,
    meanings: {
      plan_id: PLAN_ID,
      symbol: "symbol",
      decision: "EXECUTE, SKIP, BLOCKED, ERROR",
      executed: "true only if an order was really executed",
      would_execute: "true for a dry run that had its permits",
      steps_results:
        "list; a success is `step, status, details, order_id, side, quantity, executed_qty, reduce_only`, all but the last as text",
      error: "the reason, or empty",
      timestamp: "epoch seconds",
      settled_at_ms: "*ours*",
      attempt: ATTEMPT,
      outcome: "*ours*: how the attempt ended",
      reason: "*ours*: the [reason](reasons.md), or empty",
      detail: "*ours*: the issuer's or the exchange's own words",
      wait_ms: "*ours*: how long the plan waited",
      safe_qty: "*ours*: what P3.3 permitted",
      order_id: "*ours*: the exchange's",
      executed_qty: "*ours*: decimal",
      avg_price: "*ours*: decimal",
      capped_by_venue:
        "*ours*: only `True`, for an execution: the plan would have closed more, but the exchange takes no larger order; the next proposal closes more",
      corrects:
        "*ours*: only in a correction: the id of the result that said `NOT_PLACED` of an order that showed up later",
      class:
        "*ours*: only of an [exit](#exits): `operator` or `drill`. Issuers charge and release nothing for it, and start no cooldown",
    } satisfies Explains<ResultEntry> & Record<string, string>,
  },
  governorEvents: {
    about: "Written by the disarm script, for operators.",
    meanings: {
      event: "`AUTO_DISARM`",
      reason: "[why](reasons.md)",
      context: "JSON: what led to it",
      timestamp: "epoch seconds",
      action_taken: "`disarmed`",
    },
  },
  deadLetter: {
    about:
      "*Ours.* An entry that no handler could take, moved in one step with its acknowledgement. No group reads it. At most about 10,000 are kept.",
    meanings: {
      stream: "where it was",
      group: "who could not take it",
      entry_id: "its id there",
      reason: "in one line",
      deliveries: "how often it was delivered",
      dead_at_ms: "when",
      "entry.*":
        "every field of the entry, with this prefix; of more than 1,000 fields `entry.json`, of more than 64 kB `entry.json_beginning` and `entry.json_bytes`, the length of the whole",
    },
  },
  operatorAudit: {
    about:
      "*Ours.* Written by the operators' command line and the console: one entry a change. Group `p33`, which obeys `hold.accept`.",
    schema: auditEntry,
    meanings: {
      action: "what was done",
      target: "to what: a symbol, a plan, an entry",
      who: "`user@host`, or `name@console`",
      reason: "in the operator's words",
      at_ms: "when",
      detail: "what the action needs to be told besides",
    } satisfies Explains<AuditEntry>,
  },
};
