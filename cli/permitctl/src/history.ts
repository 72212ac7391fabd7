/** `history`: how plans ended, newest first. */
import { addedAtMs, parseEntries } from "@quantum/streams";
import { newestFirst } from "./entries.ts";
import type { Session } from "./session.ts";
import { table } from "./terminal.ts";

export interface HistoryOptions {
  symbol?: string;
  outcome?: string;
  /** Of the plan, or of the issuer that denied it. */
  reason?: string;
  limit: number;
}

export async function history({ redis, keys, terminal }: Session, options: HistoryOptions): Promise<void> {
  const rows: Row[] = [];
  for await (const entry of newestFirst(redis, keys.streams.result)) {
    if (rows.length === options.limit) break;
    const row = rowOf(addedAtMs(entry.id), entry.fields);
    if (isWanted(row, options)) rows.push(row);
  }
  const corrected = new Map<string, string>();
  for (const { corrects } of rows)
    if (corrects !== "")
      for (const entry of parseEntries(await redis.xrange(keys.streams.result, corrects, corrects)))
        corrected.set(corrects, outcomeText(entry.fields));
  terminal.print(
    rows,
    table([
      ["ended", "plan", "symbol", "outcome", "quantity", "reason"],
      ...rows.map(({ at_ms, plan_id, symbol, outcome, executed_qty, reason, detail, corrects }) => [
        new Date(at_ms).toISOString(),
        plan_id,
        symbol,
        outcome,
        executed_qty,
        corrects === ""
          ? [reason, detail].filter(Boolean).join(": ")
          : correctsText(corrects, corrected.get(corrects)),
      ]),
    ]),
  );
}

/** How a result says that its attempt ended. */
export function outcomeText(fields: Readonly<Record<string, string>>): string {
  const reason = (fields["reason"] ?? "") || (fields["error"] ?? "");
  return [fields["outcome"], reason].filter(Boolean).join(" ");
}

/** @param corrected what the entry said; undefined where it is gone */
export function correctsText(id: string, corrected: string | undefined): string {
  return corrected === undefined ? `corrects ${id}` : `corrects ${corrected} (${id})`;
}

type Row = ReturnType<typeof rowOf>;

function rowOf(atMs: number, fields: Readonly<Record<string, string>>) {
  const text = (name: string) => fields[name] ?? "";
  return {
    at_ms: atMs,
    plan_id: text("plan_id"),
    symbol: text("symbol"),
    // The Python apply-layer names none.
    outcome: fields["outcome"] ?? (text("executed") === "True" ? "EXECUTED" : text("decision")),
    executed_qty: text("executed_qty"),
    reason: text("reason") || text("error"),
    detail: text("detail"),
    corrects: text("corrects"),
  };
}

function isWanted(row: Row, { symbol, outcome, reason }: HistoryOptions): boolean {
  if (symbol !== undefined && row.symbol !== symbol) return false;
  if (outcome !== undefined && row.outcome !== outcome) return false;
  return reason === undefined || row.reason === reason || row.detail === reason;
}
