/**
 * The hashes that scripts write and TypeScript reads: the plan's record, the order's claim; `position-records.ts` has P3.3's, and
 * `service-records.ts` what services say of themselves.
 * A test compares them with what a pipeline really writes, and `docs/wire.md` shows these tables.
 */
import { z } from "zod";
import { EXIT_CLASSES } from "./exit.ts";
import { exitReport } from "./exit-report.ts";
import { bit, decimal, entryId, integer, json, orEmpty, planId } from "./formats.ts";
import { quantity, side, symbol, text } from "./formats.ts";
import { field, record } from "./record-fields.ts";
import { OUTCOMES } from "./reasons.ts";

const EXITED = [["operator/exit", "an operator exits"]] as const;
const OPENED = [["plans/open", "the attempt opens"], ...EXITED] as const;
const CONSUMED = [["permits/consume", "the permits are spent"]] as const;
const HANDED_OVER = [["permits/consume", "the plan is handed over to the executor"]] as const;
const JUDGED = [["permits/consume", "the permits are spent, or the plan is blocked"]] as const;
const ANSWERED = [["permits/issue", "an issuer answers"]] as const;
const CLAIMED = [
  ["orders/claim", "the order is claimed"],
  ["orders/hold", "it may have been sent, and is claimed to query it"],
] as const;
const VERIFIED = [["orders/claim", "the order is claimed or refused"]] as const;
const REFUSED = [
  ["orders/claim", "the order is refused"],
  ["orders/handover_lost", "the order was not claimed in time"],
] as const;
const DOUBTED = [["orders/doubt", "the exchange's answer is ambiguous"]] as const;
const SETTLED = [["orders/settle", "the order ends"]] as const;
const ADOPTED = [["orders/adopt", "an order that counted as absent shows up"]] as const;

const STATED = [["operator/end_doubt", "an operator states its outcome"]] as const;

const plan = {
  state: field(
    z.enum(["WAITING", "PERMITTED", "SENT", "UNKNOWN", ...OUTCOMES]),
    [...OPENED, ...JUDGED, ...CLAIMED, ...DOUBTED, ...SETTLED, ...ADOPTED, ...REFUSED],
    "the attempt's state",
  ),
  symbol: field(symbol, OPENED, "the plan's symbol"),
  mode: field(z.enum(["dry_run", "paper", "testnet"]), OPENED, "`APPLY_MODE` at the opening"),
  step: field(text, OPENED, "such as `CLOSE_PARTIAL_75`; empty if the plan closes nothing"),
  close_pct: field(orEmpty(decimal), OPENED, "share of the position to close", "%"),
  attempt: field(entryId, OPENED, "id of the `apply.plan` entry, which is the attempt's id"),
  attempt_no: field(integer, OPENED, "1, or more for a plan that was opened again"),
  opened_at_ms: field(
    integer,
    [...OPENED, ["permits/consume", "it was in the future by Redis's clock"]],
    "when the attempt opened",
    "ms",
  ),
  proposed_ms: field(integer, OPENED, "when the proposal was made, not later than the opening", "ms"),
  deadline_ms: field(
    integer,
    [
      ["plans/open", "the attempt waits for permits"],
      ["permits/consume", "the opening was in the future by Redis's clock"],
    ],
    "when the wait ends",
    "ms",
  ),
  answers: field(integer, ANSWERED, "how many issuers have answered"),
  "{issuer}_verdict": field(
    z.enum(["granted", "denied", "malformed"]),
    [...ANSWERED, ...JUDGED],
    "the issuer's answer; `malformed`: its permit cannot be used",
  ),
  "{issuer}_reason": field(
    text,
    [...ANSWERED, ["permits/consume", "a bare permit is checked"]],
    "the issuer's own reason; `bare_permit` for a permit that is the text `1`",
  ),
  "{issuer}_at_ms": field(integer, ANSWERED, "when it answered", "ms"),
  "{issuer}_key": field(
    text,
    JUDGED,
    "id of the key that signed its permit; empty if the signed text cannot be read",
  ),
  "{issuer}_signature": field(
    z.enum([
      "valid",
      "unsigned",
      "permit_unsigned",
      "permit_forged",
      "permit_expired",
      "permit_of_another_plan",
    ]),
    VERIFIED,
    "what the executor has found: `unsigned` from an issuer that need not sign, else what is wrong",
  ),
  "{issuer}_seen_ms": field(
    integer,
    JUDGED,
    "when the key of an issuer that does not write to the record was read",
    "ms",
  ),
  "{issuer}_cap": field(
    quantity,
    CONSUMED,
    "the issuer's `computed_qty`, if it is below the safe quantity: the order is not for more",
    "coins",
  ),
  verdict_at_ms: field(
    integer,
    [...JUDGED, ...EXITED],
    "when the permits were spent, or the plan was blocked",
    "ms",
  ),
  wait_ms: field(integer, [...JUDGED, ...EXITED], "how long the plan waited", "ms"),
  safe_qty: field(
    quantity,
    [...CONSUMED, ...EXITED],
    "the quantity that P3.3 granted, or that the operator signed",
    "coins",
  ),
  position_amt: field(decimal, HANDED_OVER, "the position according to the permits, signed", "coins"),
  max_qty: field(orEmpty(quantity), HANDED_OVER, "the lowest cap of the permits, or empty", "coins"),
  valid_until_ms: field(integer, HANDED_OVER, "after this the order is not claimed", "ms"),
  entry_id: field(entryId, [...HANDED_OVER, ...EXITED], "of the `apply.execute` entry"),
  hand_over: field(
    json(z.array(z.string())),
    [],
    "written by earlier versions: copy of the `apply.execute` entry, names and values in turn, then `entry_id`",
  ),
  class: field(
    z.enum(EXIT_CLASSES),
    EXITED,
    "of an operator's plan: `operator`, or `drill` for one that only looks",
  ),
  operator: field(text, EXITED, "the operator who signed it"),
  exit_why: field(text, EXITED, "why, in the operator's words"),
  sent_at_ms: field(integer, CLAIMED, "when the order was claimed", "ms"),
  client_order_id: field(text, CLAIMED, "of the claimed order"),
  side: field(side, CLAIMED, "of the claimed order"),
  quantity: field(quantity, CLAIMED, "of the claimed order", "coins"),
  reason: field(
    text,
    [
      ["plans/open", "the attempt ends at once"],
      ["permits/consume", "the plan is blocked"],
      ...DOUBTED,
      ...SETTLED,
      ...ADOPTED,
      ...REFUSED,
    ],
    "the [reason](reasons.md) of the state; empty after an execution",
  ),
  detail: field(
    text,
    [
      ["permits/consume", "the plan is blocked"],
      ["orders/claim", "the order is refused"],
      ...SETTLED,
      ...ADOPTED,
    ],
    "the issuer's reason or the exchange's message, or empty",
  ),
  order_id: field(text, [...SETTLED, ...ADOPTED], "the exchange's id, or empty"),
  executed_qty: field(
    orEmpty(quantity),
    [...SETTLED, ...ADOPTED],
    "the executed quantity; empty if nothing was executed",
    "coins",
  ),
  ended_at_ms: field(
    integer,
    [
      ["plans/open", "the attempt ends at once"],
      ["permits/consume", "the plan is blocked, or was a dry run"],
      ...SETTLED,
      ...REFUSED,
    ],
    "when the attempt ended",
    "ms",
  ),
  corrected_at_ms: field(integer, ADOPTED, "when its result was corrected", "ms"),
  exit_report: field(
    json(exitReport),
    [["orders/tell_exit", "a drill has read the account"]],
    "what an exit would cancel and send, and what would stop it",
  ),
  exit_left: field(
    orEmpty(decimal),
    [["orders/tell_exit", "an operator's exit ends"]],
    "the position that the exchange then reports, signed; empty if it could not be asked",
    "coins",
  ),
};

/** `quantum:apply:plan:{plan_id}`, of the newest attempt. */
export const planRecord = record(plan, [
  "state",
  "symbol",
  "mode",
  "step",
  "close_pct",
  "attempt",
  "attempt_no",
  "opened_at_ms",
  "proposed_ms",
]);

const order = {
  state: field(
    z.enum(["SENT", "UNKNOWN", "EXECUTED", "REJECTED", "UNPLACED", "NOT_PLACED"]),
    [...CLAIMED, ...DOUBTED, ...SETTLED, ...ADOPTED, ...REFUSED],
    "the order's state; `NOT_PLACED` if it was never claimed, `UNPLACED` if it was claimed and not placed",
  ),
  plan_id: field(planId, [...CLAIMED, ...REFUSED], "the plan"),
  symbol: field(symbol, [...CLAIMED, ...REFUSED], "its symbol"),
  attempt: field(entryId, [...CLAIMED, ...REFUSED], "the attempt that spent the permits"),
  attempt_no: field(integer, [...CLAIMED, ...REFUSED], "its number, part of the client order id"),
  client_order_id: field(text, CLAIMED, "the order's id at the exchange; absent if it was never claimed"),
  side: field(side, CLAIMED, "of the order"),
  quantity: field(quantity, CLAIMED, "of the order", "coins"),
  step: field(text, CLAIMED, "the plan's step"),
  position_amt: field(orEmpty(decimal), CLAIMED, "the position according to the permits, signed", "coins"),
  capped_by_venue: field(
    bit,
    CLAIMED,
    "1: the plan would close more, but the exchange takes no larger order",
  ),
  entry_id: field(entryId, CLAIMED, "of the `apply.execute` entry"),
  claimed_at_ms: field(integer, CLAIMED, "when it was claimed", "ms"),
  venue_ms: field(integer, CLAIMED, "when the send window opened, by the exchange's clock", "ms"),
  window_end_ms: field(integer, CLAIMED, "when it ended, by the exchange's clock", "ms"),
  question: field(bit, CLAIMED, "1: claimed only to query the exchange; nothing is sent"),
  class: field(
    z.enum(EXIT_CLASSES),
    [...CLAIMED, ...REFUSED],
    "of an operator's plan: `operator` or `drill`",
  ),
  why: field(text, DOUBTED, "the ambiguous answer"),
  unknown_at_ms: field(integer, DOUBTED, "since when it is in doubt", "ms"),
  next_ask_at_ms: field(
    integer,
    [
      ["orders/ask", "a query begins"],
      ["orders/note", "a query was answered"],
      ["operator/end_doubt", "an operator states its outcome"],
    ],
    "when the exchange is queried next; deleted once the order is settled",
    "ms",
  ),
  asked: field(
    integer,
    [["orders/ask", "a query begins"]],
    "number of queries so far; reset when the order is settled",
  ),
  absent_at_ms: field(
    integer,
    [["orders/note", "the exchange reports no such order"]],
    "when it last did; deleted once the order is settled, or found open",
    "ms",
  ),
  absent_ms: field(
    integer,
    [["orders/note", "the exchange reports no such order"]],
    "for how long it has done so",
    "ms",
  ),
  stated_outcome: field(z.enum(["EXECUTED", "NOT_PLACED"]), STATED, "the outcome that an operator stated"),
  stated_qty: field(orEmpty(quantity), STATED, "the executed quantity that was stated, or empty", "coins"),
  stated_by: field(text, STATED, "who: `user@host`"),
  stated_at_ms: field(integer, STATED, "when", "ms"),
  reason: field(text, [...SETTLED, ...ADOPTED, ...REFUSED], "the [reason](reasons.md), or empty"),
  detail: field(text, [...SETTLED, ...ADOPTED], "the exchange's message, or empty"),
  order_id: field(text, [...SETTLED, ...ADOPTED], "the exchange's id, or empty"),
  executed_qty: field(
    orEmpty(quantity),
    [...SETTLED, ...ADOPTED],
    "the executed quantity, or empty",
    "coins",
  ),
  avg_price: field(orEmpty(decimal), [...SETTLED, ...ADOPTED], "its average price, or empty", "dollars"),
  settled_at_ms: field(integer, [...SETTLED, ...REFUSED], "when it ended", "ms"),
  result_id: field(entryId, SETTLED, "id of its `apply.result` entry"),
  corrected_at_ms: field(integer, ADOPTED, "when that result was corrected", "ms"),
};

/** `quantum:order:{plan_id}`. */
export const orderRecord = record(order, ["state", "plan_id", "symbol", "attempt", "attempt_no"]);

/** An order key's state as the plan's record and its result have it. */
export function outcomeOfOrder(state: string): string {
  return state === "UNPLACED" ? "NOT_PLACED" : state;
}
