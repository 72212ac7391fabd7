/** P3.3's snapshot and ledger, as hashes: the rest of `records.ts`. */
import { z } from "zod";
import { decimal, integer, numberText, orEmpty, side, text } from "./formats.ts";
import type { Fields } from "./hash-record.ts";
import { field, record } from "./record-fields.ts";

const STORED = [["ledger/store", "a refresh, or events"]] as const;
const KEPT = [...STORED, ["ledger/keep", "the exchange's stream is alive and has told nothing new"]] as const;

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
  ts_epoch: field(
    numberText,
    KEPT,
    "up to when it is known to be true, by Redis's clock: when reading began, or the stream's last sign of life",
    "s",
  ),
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
  fingerprint: field(text, KEPT, "*ours*: of the values; shows whether another program has written since"),
  version: field(integer, STORED, "*ours*: the same in snapshot and ledger, higher with each refresh"),
} satisfies Fields;
export const snapshotRecord = record(snapshot, Object.keys(snapshot));

const BOOKED = /^(\d+:\d+(\.\d+)?( (?=\d)|$))*$/;

/** `quantum:position:ledger:{SYM}`. The Python P3.3 writes the first six fields. */
const ledger = {
  last_known_amt: field(numberText, STORED, "the position according to our own books, signed", "coins"),
  last_order_id: field(text, STORED, "of our last execution; it and the next three are empty without one"),
  last_result_plan_id: field(text, STORED, "of our last execution"),
  last_executed_qty: field(orEmpty(numberText), STORED, "of our last execution", "coins"),
  last_side: field(orEmpty(side), STORED, "of our last execution; empty if the result does not have it"),
  updated_at: field(numberText, STORED, "the snapshot's `ts_epoch` when both were stored", "s"),
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
  anchor_amt: field(
    orEmpty(decimal),
    STORED,
    "*ours*: the position as REST last counted it, if fills were added from events since, or empty; the next refresh counts from there",
    "coins",
  ),
  anchor_trade_id: field(text, STORED, "*ours*: the last trade that `anchor_amt` includes, or empty"),
  booked_orders: field(
    z.string().regex(BOOKED, "`order id:executed quantity`, separated by spaces"),
    STORED,
    "*ours*: the last orders whose fills are included, by the account's trades or, for ours, by events: `order id:executed quantity`, separated by spaces",
  ),
  fingerprint: field(text, STORED, "*ours*: as in the snapshot"),
  version: field(integer, STORED, "*ours*: as in the snapshot"),
} satisfies Fields;
export const ledgerRecord = record(ledger, Object.keys(ledger));
