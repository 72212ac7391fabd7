/** The waits for permits as the streams tell them: what the apply-layer logs as `[PERMIT_WAIT]`. */
import type { Keys, WaitOutcome } from "@quantum/contract";
import { disconnect } from "@quantum/redis";
import { addedAtMs, type Entry, parseEntries } from "@quantum/streams";
import type { Access, OpenAccess } from "./access.ts";
import { first, newestFirst } from "./entries.ts";

const BLOCK_MS = 5_000;

/**
 * OK is an `apply.execute` entry, or in a dry run its result; BLOCK is a result. Undefined for other entries: plans that
 * were not let wait, and the ends of orders. The permits' TTLs stand in the apply-layer's log only.
 */
function waitOf(stream: string, { fields }: Entry, keys: Keys): WaitOutcome | undefined {
  const waitMs = fields["wait_ms"];
  if (waitMs === undefined) return undefined;
  const waited = { planId: fields["plan_id"] ?? "", symbol: fields["symbol"] ?? "", waitMs: Number(waitMs) };
  if (stream === keys.streams.execute || fields["outcome"] === "DRY_RUN")
    return { kind: "ok", ...waited, safeQty: fields["safe_qty"] ?? "" };
  if (fields["outcome"] !== "BLOCKED") return undefined;
  const { reason = "", detail = "" } = fields;
  return { kind: "blocked", ...waited, reason, detail, permitTtls: new Map() };
}

/** The newest wait that ended so, as far back as the streams go. */
export async function lastWait(
  { redis, keys }: Access,
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

/** Waits as they end, until `stop` is aborted. What ended before is not told. */
export async function* tailWaits(access: OpenAccess, stop: AbortSignal): AsyncGenerator<WaitOutcome> {
  const { execute, result } = access.keys.streams;
  for await (const [stream, entry] of tail(access, [execute, result], stop)) {
    const outcome = waitOf(stream, entry, access.keys);
    if (outcome !== undefined) yield outcome;
  }
}

async function* tail(
  { redis, connectForBlocking }: OpenAccess,
  streams: readonly string[],
  stop: AbortSignal,
): AsyncGenerator<[stream: string, entry: Entry]> {
  const last = new Map<string, string>();
  for (const stream of streams) {
    // Not `$`: what comes between two reads would be lost.
    const [newest] = await redis.xrevrange(stream, "+", "-", "COUNT", 1);
    last.set(stream, newest?.[0] ?? "0-0");
  }
  const reader = connectForBlocking();
  const close = () => void disconnect(reader);
  stop.addEventListener("abort", close, { once: true });
  try {
    while (!stop.aborted) {
      const reply = await reader.xread("BLOCK", BLOCK_MS, "STREAMS", ...last.keys(), ...last.values());
      for (const [stream, raw] of reply ?? []) {
        for (const entry of parseEntries(raw)) {
          last.set(stream, entry.id);
          yield [stream, entry];
        }
      }
    }
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    close();
  }
}
