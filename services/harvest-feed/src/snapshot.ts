import { parsePythonFloat, readableFields, snapshotRecord } from "@quantum/contract";

/** The fields of `quantum:position:snapshot:{SYM}` that a proposal needs. */
export interface FeedSnapshot {
  /**
   * Changes with every refresh. Ours counts refreshes; the Python service only writes the refresh's time. Undefined if
   * there is no snapshot.
   */
  version: string | undefined;
  /** Undefined if it is missing or unreadable. */
  position: Position | undefined;
}

export interface Position {
  side: "LONG" | "SHORT";
  entryPrice: number;
  markPrice: number;
}

export function parseSnapshot(hash: Readonly<Record<string, string>>): FeedSnapshot {
  const { fields } = readableFields(snapshotRecord, hash);
  const number = (text = "") => parsePythonFloat(text) ?? Number.NaN;
  const amount = number(fields.position_amt);
  const entryPrice = number(fields.entry_price);
  const markPrice = number(fields.mark_price);
  const open = Math.abs(amount) > 0 && entryPrice > 0 && markPrice > 0;
  return {
    version: fields.version ?? fields.ts_epoch,
    position: open ? { side: amount > 0 ? "LONG" : "SHORT", entryPrice, markPrice } : undefined,
  };
}
