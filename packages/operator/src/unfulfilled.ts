/** Closes that are proposed and not executed, while the position stays open: what P3.3 keeps (`lua/ledger/want_close.lua`). */
import { ledgerRecord, readableFields, snapshotRecord } from "@quantum/contract";
import type { Access } from "./access.ts";
import { readResults } from "./results.ts";

export interface Unfulfilled {
  symbol: string;
  /** By Redis's clock. */
  sinceMs: number;
  /** Signed; "" if no snapshot is stored, so that the position may be open. */
  positionAmt: string;
  /** How the symbol's last plan ended, and why; "" if the stream of results has none. */
  last: string;
}

/** As the metric `quantum_close_unfulfilled_seconds` counts: an execution since, or a flat position, ends it. */
export async function readUnfulfilled(access: Access, symbol: string): Promise<Unfulfilled | undefined> {
  const { redis, keys } = access;
  const [since, snapshotHash, ledgerHash] = await Promise.all([
    // A key of the wrong type says nothing; the next note replaces it.
    redis.get(keys.closeWanted(symbol)).catch(() => null),
    redis.hgetall(keys.snapshot(symbol)),
    redis.hgetall(keys.ledger(symbol)),
  ]);
  const sinceMs = Number(since ?? Number.NaN);
  if (!Number.isSafeInteger(sinceMs)) return undefined;
  const { position_amt: positionAmt = "" } = readableFields(snapshotRecord, snapshotHash).fields;
  if (positionAmt !== "" && Number(positionAmt) === 0) return undefined;
  const { last_executed_at_ms: executedMs } = readableFields(ledgerRecord, ledgerHash).fields;
  if (executedMs && Number(executedMs) >= sinceMs) return undefined;
  const { results } = await readResults(access, { symbol, limit: 1 });
  const last = results.flatMap(({ outcome, reason, detail }) => [outcome, reason, detail]).filter(Boolean);
  return { symbol, sinceMs, positionAmt, last: last.join(" ") };
}
