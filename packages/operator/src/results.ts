/** How plans ended, as the stream of results tells. */
import { addedAtMs, parseEntries } from "@quantum/streams";
import type { Access } from "./access.ts";
import { newestFirst } from "./entries.ts";

export interface ResultFilter {
  symbol?: string;
  outcome?: string;
  /** Of the plan, or of the issuer that denied it. */
  reason?: string;
  limit: number;
}

export interface Result {
  atMs: number;
  planId: string;
  symbol: string;
  outcome: string;
  executedQty: string;
  reason: string;
  detail: string;
  /** Id of the entry that this one corrects; "" if none. */
  corrects: string;
}

/** Newest first. `corrected` says of the corrected entries how they ended, as long as the stream has them. */
export async function readResults(
  { redis, keys }: Access,
  filter: ResultFilter,
): Promise<{ results: Result[]; corrected: ReadonlyMap<string, string> }> {
  const results: Result[] = [];
  for await (const entry of newestFirst(redis, keys.streams.result)) {
    if (results.length === filter.limit) break;
    const result = resultOf(addedAtMs(entry.id), entry.fields);
    if (isWanted(result, filter)) results.push(result);
  }
  const corrected = new Map<string, string>();
  for (const { corrects } of results)
    if (corrects !== "")
      for (const entry of parseEntries(await redis.xrange(keys.streams.result, corrects, corrects)))
        corrected.set(corrects, outcomeText(entry.fields));
  return { results, corrected };
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

function resultOf(atMs: number, fields: Readonly<Record<string, string>>): Result {
  const text = (name: string) => fields[name] ?? "";
  return {
    atMs,
    planId: text("plan_id"),
    symbol: text("symbol"),
    // The Python apply-layer names none.
    outcome: fields["outcome"] ?? (text("executed") === "True" ? "EXECUTED" : text("decision")),
    executedQty: text("executed_qty"),
    reason: text("reason") || text("error"),
    detail: text("detail"),
    corrects: text("corrects"),
  };
}

function isWanted(result: Result, { symbol, outcome, reason }: ResultFilter): boolean {
  if (symbol !== undefined && result.symbol !== symbol) return false;
  if (outcome !== undefined && result.outcome !== outcome) return false;
  return reason === undefined || result.reason === reason || result.detail === reason;
}
