/**
 * Hashes in which a service says what it does: who owns the orders or the books, whether operators could exit, and what limits
 * a symbol.
 */
import { decimal, integer, text } from "./formats.ts";
import type { Fields } from "./hash-record.ts";
import { field, record } from "./record-fields.ts";

const OWNED = [["leases/own", "the owner takes or renews the ownership"]] as const;

const owner = {
  instance: field(text, OWNED, "its `INSTANCE`"),
  since_ms: field(integer, OWNED, "since when it is the owner", "ms"),
  seen_ms: field(integer, OWNED, "when it last said so; `0` once it has given the ownership up", "ms"),
} satisfies Fields;

/** `quantum:order:owner` and `quantum:position:booker`. */
export const ownerRecord = record(owner, Object.keys(owner));

const KEPT_BY_OWNER = [["executor", "its owner says so, every 30 s and when the list changes"]] as const;
const DRILLED = [["executor", "a drill ends"]] as const;

const exit = {
  keys: field(integer, KEPT_BY_OWNER, "how many operators' keys are enrolled"),
  at_ms: field(integer, KEPT_BY_OWNER, "when it last said so", "ms"),
  drilled_at_ms: field(integer, DRILLED, "when the last drill ended", "ms"),
  drilled_by: field(text, DRILLED, "the operator who signed it"),
} satisfies Fields;

/** `quantum:exit`. */
export const exitRecord = record(exit, ["keys", "at_ms"]);

const LIMITED = [["governor", "it starts, and every 30 s"]] as const;

const governorLimits = {
  executions_hour: field(integer, LIMITED, "`GOV_MAX_EXEC_PER_HOUR`"),
  executions_5min: field(integer, LIMITED, "`GOV_MAX_EXEC_PER_5MIN`"),
  notional_day: field(decimal, LIMITED, "`GOV_MAX_REDUCE_NOTIONAL_PER_DAY_USD`", "dollars"),
  qty_day: field(decimal, LIMITED, "`GOV_MAX_REDUCE_QTY_PER_DAY`", "coins"),
  at_ms: field(integer, LIMITED, "when it last said so", "ms"),
} satisfies Fields;

/** `quantum:governor:limits`. */
export const governorLimitsRecord = record(governorLimits, Object.keys(governorLimits));
