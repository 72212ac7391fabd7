/** The verdicts and ends of plans as they come, for a screen that stays open: counted, and told in batches. */
import { type Entry, isLater, keptSinceMs } from "@quantum/streams";
import type { OpenAccess } from "./access.ts";
import { type PlanRow, rowOfResult, rowOfVerdict } from "./plan-rows.ts";
import { endsOf, tail } from "./tail.ts";
import type { WaitTally } from "./wait-tally.ts";
import { waitOf } from "./waits.ts";

const HOUR_MS = 3_600_000;
/** A verdict shows within a second; a thousand plans a second are five reads. */
const GATHER_MS = 200;

/**
 * Counts what the streams hold of the last hour, and then what comes, until `stop` is aborted. Throws when Redis refuses;
 * called again with the same tally, it goes on where it was.
 * @param ended gets what has come since the tally began, oldest first
 */
export async function followEnds(
  access: OpenAccess,
  tally: WaitTally,
  ended: (rows: PlanRow[]) => void,
  stop: AbortSignal,
): Promise<void> {
  const { execute, result } = access.keys.streams;
  if (!tally.hasBegun) await begin(access, tally, [execute, result]);
  for await (const [stream, entries] of tail(access, { after: tally.after, gatherMs: GATHER_MS, stop })) {
    const rows = entries.map((entry) => count(access, tally, stream, entry));
    const begun = tally.toldAfter.get(stream);
    if (begun === undefined) ended(rows);
    else {
      const fresh = rows.filter((_, at) => isLater(entries[at]?.id ?? begun, begun));
      if (fresh.length > 0) ended(fresh);
      if (!isLater(begun, entries.at(-1)?.id ?? begun)) tally.toldAfter.delete(stream);
    }
  }
}

async function begin(access: OpenAccess, tally: WaitTally, streams: readonly string[]): Promise<void> {
  const hourAgo = `${Math.max(0, Math.floor(access.nowMs()) - HOUR_MS)}-0`;
  const [ends, ...kept] = await Promise.all([
    endsOf(access, streams),
    ...streams.map((stream) => keptSinceMs(access.redis, stream)),
  ]);
  tally.begin(new Map(streams.map((stream) => [stream, hourAgo])), ends, Math.max(...kept));
}

function count({ keys }: OpenAccess, tally: WaitTally, stream: string, entry: Entry): PlanRow {
  const wait = waitOf(stream, entry, keys);
  if (wait !== undefined) tally.addWait(wait);
  if (stream === keys.streams.execute) return rowOfVerdict(entry);
  const row = rowOfResult(entry);
  tally.addResult(row);
  return row;
}
