/**
 * P3.3's pair for one symbol: the exchange's position (snapshot) and the position according to the account's trades
 * (ledger), as stored in their hashes (`position-records.ts` in packages/contract). Amounts and ids are text, exactly as the
 * exchange wrote them. Positive amounts are long, negative ones short.
 */
import { hash as digest } from "node:crypto";
import { type HashRecord, ledgerRecord, parseRecordOrNone, snapshotRecord } from "@quantum/contract";
import type { Position } from "@quantum/exchange";
import { Big } from "big.js";

/** The last trade id of an account without a trade in the exchange's look-back. */
export const NO_TRADE = "0";

export interface Snapshot {
  positionAmt: string;
  entryPrice: string;
  markPrice: string;
  unrealizedPnl: string;
  leverage: string;
  /** The quantity that open reduce-only orders may still close. */
  openReduceQty: string;
  /** The exchange's time of the position's last change, in ms. */
  updateTimeMs: number;
  /** When reading began, by our clock, so the snapshot is never newer than it says. */
  tsEpochSec: number;
}

/** One of our executed orders, from its result. */
export interface Execution {
  planId: string;
  /** "" if the result names none. */
  orderId: string;
  side: string;
  qty: string;
  atMs: number;
}

const ORIGINS = ["bootstrap", "accepted", "trades"] as const;

/** What an order has executed. */
export interface BookedOrder {
  orderId: string;
  qty: string;
}

export interface Ledger {
  /** The signed sum of all trades up to `lastTradeId`. */
  amt: string;
  lastTradeId: string;
  /**
   * `bootstrap`: the amount was taken from the exchange, because there was no ledger; `accepted`: the same, because an
   * operator said so; `trades`: trades have been added since.
   */
  origin: (typeof ORIGINS)[number];
  lastExecution: Execution | undefined;
  /** Since when the pair has not matched. Beyond the tolerance, P3.3 holds the symbol (`reconcile_required_*`). */
  disagreesSinceMs?: number | undefined;
  /**
   * The ledger as REST last counted it, if fills were added from events since. The next reading counts from there, so an
   * event can mislead the ledger only until then.
   */
  anchor?: { amt: string; tradeId: string } | undefined;
  /** The last orders whose fills are included, the newest last: those of the account's trades, and ours that events told. */
  booked?: readonly BookedOrder[] | undefined;
}

export interface Pair {
  snapshot: Snapshot;
  ledger: Ledger;
}

export function agrees({ snapshot, ledger }: Pair): boolean {
  return Big(snapshot.positionAmt).eq(ledger.amt);
}

export function snapshotOf(position: Position, openReduceQty: string, tsMs: number): Snapshot {
  return {
    positionAmt: position.positionAmt,
    entryPrice: position.entryPrice,
    markPrice: position.markPrice,
    unrealizedPnl: position.unrealizedProfit,
    leverage: position.leverage,
    openReduceQty,
    updateTimeMs: position.updateTimeMs,
    tsEpochSec: Math.floor(tsMs / 1000),
  };
}

/** The fields passed to the store, which adds the version. */
type Stored<Of extends HashRecord> = Record<Exclude<keyof Of["fields"], "version">, string>;

export function snapshotFields(snapshot: Snapshot, source: string): Stored<typeof snapshotRecord> {
  const amount = Big(snapshot.positionAmt);
  const fields = {
    position_amt: snapshot.positionAmt,
    side: amount.eq(0) ? "NONE" : amount.gt(0) ? "LONG" : "SHORT",
    entry_price: snapshot.entryPrice,
    mark_price: snapshot.markPrice,
    unrealized_pnl: snapshot.unrealizedPnl,
    leverage: snapshot.leverage,
    ts_epoch: String(snapshot.tsEpochSec),
    source,
    open_reduce_qty: snapshot.openReduceQty,
    update_time_ms: String(snapshot.updateTimeMs),
  };
  return { ...fields, fingerprint: fingerprintOf(fields, SNAPSHOT_FIELDS) };
}

export function ledgerFields(ledger: Ledger, updatedAtSec: number): Stored<typeof ledgerRecord> {
  const execution = ledger.lastExecution;
  const fields = {
    last_known_amt: ledger.amt,
    last_order_id: execution?.orderId ?? "",
    last_result_plan_id: execution?.planId ?? "",
    last_executed_qty: execution?.qty ?? "",
    last_side: execution?.side ?? "",
    updated_at: String(updatedAtSec),
    last_trade_id: ledger.lastTradeId,
    last_executed_at_ms: execution === undefined ? "" : String(execution.atMs),
    origin: ledger.origin,
    disagrees_since_ms: String(ledger.disagreesSinceMs ?? ""),
    anchor_amt: ledger.anchor?.amt ?? "",
    anchor_trade_id: ledger.anchor?.tradeId ?? "",
    booked_orders: (ledger.booked ?? []).map(({ orderId, qty }) => `${orderId}:${qty}`).join(" "),
  };
  return { ...fields, fingerprint: fingerprintOf(fields, ledgerNames(fields)) };
}

const FINGERPRINT_DIGITS = 16;

/** In the order used by the fingerprint. */
const SNAPSHOT_FIELDS = [
  "position_amt",
  "entry_price",
  "mark_price",
  "unrealized_pnl",
  "leverage",
  "open_reduce_qty",
  "update_time_ms",
  "ts_epoch",
] as const;

const LEDGER_FIELDS = [
  "last_known_amt",
  "last_trade_id",
  "origin",
  "last_order_id",
  "last_result_plan_id",
  "last_executed_qty",
  "last_side",
  "updated_at",
  "last_executed_at_ms",
  "disagrees_since_ms",
] as const;

/** Added from events. Without one, the fingerprint is that of releases that did not have them. */
const EVENT_FIELDS = ["anchor_amt", "anchor_trade_id", "booked_orders"] as const;

type Fields = Readonly<Record<string, string>>;

function ledgerNames(fields: Fields): readonly string[] {
  const hasEvents = EVENT_FIELDS.some((name) => (fields[name] ?? "") !== "");
  return hasEvents ? [...LEDGER_FIELDS, ...EVENT_FIELDS] : LEDGER_FIELDS;
}

/**
 * Undefined if it is missing or not as we wrote it. The Python P3.3 overwrites its own fields and keeps ours. Its
 * amount would then stand next to our trade id and version, and the trades would be added a second time.
 */
export function parseSnapshot(fields: Fields): Snapshot | undefined {
  if (fields["fingerprint"] !== fingerprintOf(fields, SNAPSHOT_FIELDS)) return undefined;
  const hash = parseRecordOrNone(snapshotRecord, fields, SNAPSHOT_FIELDS);
  return (
    hash && {
      positionAmt: hash.position_amt,
      entryPrice: hash.entry_price,
      markPrice: hash.mark_price,
      unrealizedPnl: hash.unrealized_pnl,
      leverage: hash.leverage,
      openReduceQty: hash.open_reduce_qty,
      updateTimeMs: hash.update_time_ms,
      tsEpochSec: Number(hash.ts_epoch),
    }
  );
}

/** Like {@link parseSnapshot}, for the ledger. */
export function parseLedger(fields: Fields): Ledger | undefined {
  if (fields["fingerprint"] !== fingerprintOf(fields, ledgerNames(fields))) return undefined;
  const hash = parseRecordOrNone(ledgerRecord, fields, LEDGER_FIELDS, EVENT_FIELDS);
  if (hash === undefined) return undefined;
  const { last_executed_at_ms: executedAtMs, disagrees_since_ms: disagreesSinceMs } = hash;
  return {
    amt: hash.last_known_amt,
    lastTradeId: hash.last_trade_id,
    origin: hash.origin,
    lastExecution:
      executedAtMs === ""
        ? undefined
        : {
            planId: hash.last_result_plan_id,
            orderId: hash.last_order_id,
            side: hash.last_side,
            qty: hash.last_executed_qty,
            atMs: executedAtMs,
          },
    ...(disagreesSinceMs === "" ? {} : { disagreesSinceMs }),
    ...(hash.anchor_trade_id && hash.anchor_amt
      ? { anchor: { amt: hash.anchor_amt, tradeId: hash.anchor_trade_id } }
      : {}),
    ...(hash.booked_orders ? { booked: bookedOf(hash.booked_orders) } : {}),
  };
}

function bookedOf(text: string): BookedOrder[] {
  return text.split(" ").map((each) => {
    const [orderId = "", qty = ""] = each.split(":");
    return { orderId, qty };
  });
}

/** Covers the fields that are read back; others may be added. */
function fingerprintOf(fields: Fields, names: readonly string[]): string {
  const values = names.map((name) => fields[name] ?? null);
  return digest("sha256", JSON.stringify(values), "hex").slice(0, FINGERPRINT_DIGITS);
}
