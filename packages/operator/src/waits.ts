/** The waits for permits as the streams tell them: what the apply-layer logs as `[PERMIT_WAIT]`. */
import type { Keys, WaitOutcome } from "@quantum/contract";
import { addedAtMs, type Entry, isLater } from "@quantum/streams";
import type { Access, OpenAccess } from "./access.ts";
import type { Place } from "./place.ts";
import { first, newestFirst, oldestFirst } from "./entries.ts";
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
  access: Pick<Access, "partitions">,
  kind: WaitOutcome["kind"],
): Promise<LastWait | undefined> {
  return newestOf(await Promise.all(access.partitions.map((partition) => lastWaitIn(partition, kind))));
}

async function lastWaitIn({ redis, keys }: Place, kind: WaitOutcome["kind"]): Promise<LastWait | undefined> {
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
  return newestOf(found);
}

function newestOf(found: readonly (LastWait | undefined)[]): LastWait | undefined {
  return found
    .filter((wait) => wait !== undefined)
    .toSorted((a, b) => b.atMs - a.atMs)
    .at(0);
}

export interface EndedWait {
  wait: LastWait;
  /** It was blocked before it waited: `waitMs` is 0, and the apply-layer's log has no `[PERMIT_WAIT]` of it. */
  atOpening: boolean;
}

export interface TailWaitsOptions {
  /** From then on, by Redis's clock, as far as the streams go back. Undefined: what ended before is not told. */
  sinceMs?: number | undefined;
  stop: AbortSignal;
}

/** Waits as they end, and plans that are blocked when they open, until `stop` is aborted. */
export async function* tailWaits(
  access: OpenAccess,
  { sinceMs, stop }: TailWaitsOptions,
): AsyncGenerator<EndedWait> {
  const followed = ({ streams }: Keys) => [streams.execute, streams.result];
  const ends = await Promise.all(
    access.partitions.map((partition) => endsOf(partition, followed(partition.keys))),
  );
  const after = new Map(ends.flat());
  if (sinceMs !== undefined) {
    const waits = await Promise.all(
      access.partitions.map((partition) => waitsSince(partition, sinceMs, ends[partition.number] ?? [])),
    );
    yield* waits.flat().toSorted((a, b) => a.wait.atMs - b.wait.atMs);
  }
  for await (const { partition, stream, entries } of tail(access, followed, { after, stop }))
    yield* entries.flatMap((entry) => endedOf(stream, entry, partition.keys) ?? []);
}

/** @param ends stream and the last entry of it that counts */
async function waitsSince(
  { redis, keys }: Place,
  sinceMs: number,
  ends: readonly [stream: string, last: string][],
): Promise<EndedWait[]> {
  const found: EndedWait[] = [];
  const from = String(Math.max(0, Math.floor(sinceMs)));
  for (const [stream, last] of ends)
    for await (const entry of oldestFirst(redis, stream, { from })) {
      if (isLater(entry.id, last)) break;
      const ended = endedOf(stream, entry, keys);
      if (ended !== undefined) found.push(ended);
    }
  return found;
}

function endedOf(stream: string, entry: Entry, keys: Keys): EndedWait | undefined {
  const wait = waitOf(stream, entry, keys);
  if (wait !== undefined) return { wait, atOpening: false };
  if (entry.fields["outcome"] !== "BLOCKED") return undefined;
  const blocked = waitOf(stream, { ...entry, fields: { ...entry.fields, wait_ms: "0" } }, keys);
  return blocked && { wait: blocked, atOpening: true };
}
