/** Closes that are proposed and not executed, while the position stays open: what P3.3 keeps (`lua/ledger/want_close.lua`). */
import { ledgerRecord, readableFields, snapshotRecord } from "@quantum/contract";
import type { Access } from "./access.ts";
import { first, newestFirst } from "./entries.ts";
import { type PlanRow, rowOfResult } from "./plan-rows.ts";

export interface Unfulfilled {
  symbol: string;
  /** By Redis's clock. */
  sinceMs: number;
  /** Signed; "" if no snapshot is stored, so that the position may be open. */
  positionAmt: string;
  /** How the symbol's last plan ended, and why; "" if the stream of results has none. */
  last: string;
}

type Hash = Readonly<Record<string, string>>;

/**
 * As the metric `quantum_close_unfulfilled_seconds` counts: an execution since, or a flat position, ends it.
 * @param wanted the text of `close_wanted`, null if there is none @returns `last` is not filled in
 */
export function unfulfilledOf(
  symbol: string,
  wanted: string | null,
  ledgerHash: Hash,
  snapshotHash: Hash,
): Unfulfilled | undefined {
  const sinceMs = Number(wanted ?? Number.NaN);
  if (!Number.isSafeInteger(sinceMs)) return undefined;
  const { position_amt: positionAmt = "" } = readableFields(snapshotRecord, snapshotHash).fields;
  if (positionAmt !== "" && Number(positionAmt) === 0) return undefined;
  const { last_executed_at_ms: executedMs } = readableFields(ledgerRecord, ledgerHash).fields;
  if (executedMs && Number(executedMs) >= sinceMs) return undefined;
  return { symbol, sinceMs, positionAmt, last: "" };
}

/** The symbol's newest result, as far back as the stream goes. */
export async function lastResultOf(
  { partitions }: Pick<Access, "partitions">,
  symbol: string,
): Promise<PlanRow | undefined> {
  const { redis, keys } = partitions.of(symbol);
  const isIts = ({ fields }: { fields: Hash }) => fields["symbol"] === symbol;
  const entry = await first(newestFirst(redis, keys.streams.result), isIts);
  return entry && rowOfResult(entry);
}

/** How it ended, and why. */
export function endText(row: PlanRow | undefined): string {
  return row === undefined ? "" : [row.outcome, row.reason, row.detail].filter(Boolean).join(" ");
}
