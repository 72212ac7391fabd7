/** The waits for permits as the streams tell them: what the apply-layer logs as `[PERMIT_WAIT]`. */
import type { Keys, WaitOutcome } from "@quantum/contract";
import { addedAtMs, type Entry } from "@quantum/streams";
import type { RedisClient } from "@quantum/redis";
import { first, newestFirst } from "./entries.ts";

/**
 * OK is an `apply.execute` entry, or in a dry run its result; BLOCK is a result. Undefined for other entries: plans that
 * were not let wait, and the ends of orders. The permits' TTLs stand in the apply-layer's log only.
 */
export function waitOf(stream: string, { fields }: Entry, keys: Keys): WaitOutcome | undefined {
  const waitMs = fields["wait_ms"];
  if (waitMs === undefined) return undefined;
  const waited = { planId: fields["plan_id"] ?? "", symbol: fields["symbol"] ?? "", waitMs: Number(waitMs) };
  if (stream === keys.streams.execute || fields["outcome"] === "DRY_RUN")
    return { kind: "ok", ...waited, safeQty: fields["safe_qty"] ?? "" };
  if (fields["outcome"] !== "BLOCKED") return undefined;
  const { reason = "", detail = "" } = fields;
  return { kind: "blocked", ...waited, reason, detail, permitTtls: new Map() };
}

/** The line's fields, as JSON. */
export function waitData(outcome: WaitOutcome) {
  const { kind, planId, symbol, waitMs } = outcome;
  const head = { outcome: kind === "ok" ? "OK" : "BLOCK", plan_id: planId, symbol, wait_ms: waitMs };
  if (outcome.kind === "ok") return { ...head, safe_qty: outcome.safeQty };
  return { ...head, reason: outcome.reason, detail: outcome.detail };
}

/** The newest wait that ended so, as far back as the streams go. */
export async function lastWait(
  redis: RedisClient,
  keys: Keys,
  kind: WaitOutcome["kind"],
): Promise<WaitOutcome | undefined> {
  const { execute, result } = keys.streams;
  const streams = kind === "ok" ? [execute, result] : [result];
  const found = await Promise.all(
    streams.map(async (stream) => {
      const entry = await first(
        newestFirst(redis, stream),
        (entry) => waitOf(stream, entry, keys)?.kind === kind,
      );
      return entry && { atMs: addedAtMs(entry.id), outcome: waitOf(stream, entry, keys) };
    }),
  );
  return found
    .filter((wait) => wait !== undefined)
    .toSorted((a, b) => b.atMs - a.atMs)
    .at(0)?.outcome;
}
