/** The waits for permits as the streams tell them: what the apply-layer logs as `[PERMIT_WAIT]`. */
import type { Keys, WaitOutcome } from "@quantum/contract";
import { addedAtMs, type Entry } from "@quantum/streams";
import type { Access, OpenAccess } from "./access.ts";
import { first, newestFirst } from "./entries.ts";
import { endsOf, tail } from "./tail.ts";

/** A wait that ended. */
export type LastWait = WaitOutcome & {
  /** By Redis's clock. */
  atMs: number;
  /** "" of a plan that was permitted. */
  reason: string;
};

/**
 * OK is an `apply.execute` entry, or in a dry run its result; BLOCK is a result. Undefined for other entries: plans that
 * were not let wait, and the ends of orders. The permits' TTLs stand in the apply-layer's log only.
 */
export function waitOf(stream: string, { id, fields }: Entry, keys: Keys): LastWait | undefined {
  const waitMs = fields["wait_ms"];
  if (waitMs === undefined) return undefined;
  const waited = {
    atMs: addedAtMs(id),
    planId: fields["plan_id"] ?? "",
    symbol: fields["symbol"] ?? "",
    waitMs: Number(waitMs),
  };
  if (stream === keys.streams.execute || fields["outcome"] === "DRY_RUN")
    return { kind: "ok", ...waited, safeQty: fields["safe_qty"] ?? "", reason: "" };
  if (fields["outcome"] !== "BLOCKED") return undefined;
  const { reason = "", detail = "" } = fields;
  return { kind: "blocked", ...waited, reason, detail, permitTtls: new Map() };
}

/** The newest wait that ended so, as far back as the streams go. */
export async function lastWait(
  { redis, keys }: Access,
  kind: WaitOutcome["kind"],
): Promise<LastWait | undefined> {
  const { execute, result } = keys.streams;
  const streams = kind === "ok" ? [execute, result] : [result];
  const found = await Promise.all(
    streams.map(async (stream) => {
      const entry = await first(
        newestFirst(redis, stream),
        (entry) => waitOf(stream, entry, keys)?.kind === kind,
      );
      return entry && waitOf(stream, entry, keys);
    }),
  );
  return found
    .filter((wait) => wait !== undefined)
    .toSorted((a, b) => b.atMs - a.atMs)
    .at(0);
}

/** Waits as they end, until `stop` is aborted. What ended before is not told. */
export async function* tailWaits(access: OpenAccess, stop: AbortSignal): AsyncGenerator<LastWait> {
  const { execute, result } = access.keys.streams;
  const after = await endsOf(access, [execute, result]);
  for await (const [stream, entries] of tail(access, { after, stop }))
    for (const entry of entries) {
      const wait = waitOf(stream, entry, access.keys);
      if (wait !== undefined) yield wait;
    }
}
