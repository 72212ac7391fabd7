/** A position and its price, as issuers read them from P3.3's snapshot. Pure. */
import { Big } from "big.js";
import { CLOCK_BOUND_MS } from "./clocks.ts";
import { decimalOf, positiveDecimalOf } from "./decimal.ts";
import { type NameOf, readableFields } from "./hash-record.ts";
import { snapshotRecord } from "./position-records.ts";

/** P3.3 rewrites a snapshot every few seconds; if it is this old, P3.3 has stopped. */
const SNAPSHOT_MAX_AGE_MS = 30_000;
const MS_PER_SEC = 1_000;

/** The fields of the snapshot that {@link readPosition} needs. */
export const POSITION_FIELDS = ["position_amt", "mark_price", "ts_epoch"] as const satisfies NameOf<
  typeof snapshotRecord
>[];

/** In dollars and coins. Positive positions are long, negative ones short. */
export interface ReadPosition {
  amount: Big;
  /** Undefined if unknown. */
  markPrice: Big | undefined;
}

/** Why a position is unknown. */
export interface PositionFlaw {
  flaw: "missing" | "stale" | "unreadable";
  /** As text. */
  what: string;
}

/**
 * Reads the position in a snapshot, or why it is unknown. An unreadable snapshot never counts as flat.
 * @param hash empty if there is none, undefined if unreadable
 * @param nowMs by Redis's clock
 */
export function readPosition(
  hash: Readonly<Record<string, string>> | undefined,
  nowMs: number,
): ReadPosition | PositionFlaw {
  if (hash === undefined) return { flaw: "unreadable", what: "snapshot cannot be read" };
  if (Object.keys(hash).length === 0) return { flaw: "missing", what: "no snapshot" };
  const { fields } = readableFields(snapshotRecord, hash, POSITION_FIELDS);
  const amount = decimalOf(fields.position_amt);
  const writtenAtSec = decimalOf(fields.ts_epoch);
  if (amount === undefined || writtenAtSec === undefined)
    return { flaw: "unreadable", what: "snapshot is malformed" };
  const ageMs = Big(nowMs).minus(writtenAtSec.times(MS_PER_SEC)).toNumber();
  // A snapshot from the future may be of any age.
  if (ageMs > SNAPSHOT_MAX_AGE_MS || ageMs < -CLOCK_BOUND_MS)
    return { flaw: "stale", what: `snapshot is ${Math.round(ageMs)} ms old` };
  return { amount, markPrice: positiveDecimalOf(fields.mark_price) };
}
