/** Hashes in which a service says what it does: who owns the orders or the books, and whether operators could exit. */
import { integer, text } from "./formats.ts";
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
