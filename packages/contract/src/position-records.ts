/** P3.3's snapshot and ledger, as hashes: the rest of `records.ts`. */
import { z } from "zod";
import { decimal, integer, numberText, orEmpty, side, text } from "./formats.ts";
import type { Fields } from "./hash-record.ts";
import { field, record } from "./record-fields.ts";

const STORED = [["ledger/store", "a refresh"]] as const;

/** `quantum:position:snapshot:{SYM}`. The Python P3.3 writes the first eight fields. */
const snapshot = {
  position_amt: field(numberText, STORED, "the exchange's position, signed", "coins"),
  side: field(z.enum(["LONG", "SHORT", "NONE"]), STORED, "of the position"),
  entry_price: field(
    orEmpty(numberText),
    STORED,
    "of the position; empty if the exchange does not report it",
    "dollars",
  ),
  mark_price: field(orEmpty(numberText), STORED, "as the entry price", "dollars"),
  unrealized_pnl: field(orEmpty(numberText), STORED, "as the entry price", "dollars"),
  leverage: field(orEmpty(numberText), STORED, "as the entry price"),
  ts_epoch: field(numberText, STORED, "when reading began, by Redis's clock", "s"),
  source: field(text, STORED, "`binance_testnet` or `exchange-sim`"),
  open_reduce_qty: field(
    decimal,
    STORED,
    "*ours*: quantity that open reduce-only orders may still close",
    "coins",
  ),
  update_time_ms: field(
    integer,
    STORED,
    "*ours*: when the position last changed, by the exchange's clock",
    "ms",
  ),
  fingerprint: field(text, STORED, "*ours*: of the values; shows whether another program has written since"),
  version: field(integer, STORED, "*ours*: the same in snapshot and ledger, higher with each refresh"),
} satisfies Fields;
export const snapshotRecord = record(snapshot, Object.keys(snapshot));

/** `quantum:position:ledger:{SYM}`. The Python P3.3 writes the first six fields. */
const ledger = {
  last_known_amt: field(numberText, STORED, "the position according to our own books, signed", "coins"),
  last_order_id: field(text, STORED, "of our last execution; it and the next three are empty without one"),
  last_result_plan_id: field(text, STORED, "of our last execution"),
  last_executed_qty: field(orEmpty(numberText), STORED, "of our last execution", "coins"),
  last_side: field(orEmpty(side), STORED, "of our last execution; empty if the result does not have it"),
  updated_at: field(numberText, STORED, "the snapshot's `ts_epoch`", "s"),
  last_trade_id: field(text, STORED, "*ours*: the last trade of the account that is included; `0`: none"),
  last_executed_at_ms: field(orEmpty(integer), STORED, "*ours*: of our last execution, or empty", "ms"),
  origin: field(
    z.enum(["bootstrap", "accepted", "trades"]),
    STORED,
    "*ours*: `bootstrap`: taken from the exchange; `accepted`: the same, by an operator; `trades`: trades were added since",
  ),
  disagrees_since_ms: field(
    orEmpty(integer),
    STORED,
    "*ours*: since when snapshot and ledger have not matched, or empty; beyond the tolerance this holds the symbol",
    "ms",
  ),
  fingerprint: field(text, STORED, "*ours*: as in the snapshot"),
  version: field(integer, STORED, "*ours*: as in the snapshot"),
} satisfies Fields;
export const ledgerRecord = record(ledger, Object.keys(ledger));
