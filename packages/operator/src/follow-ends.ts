/** The verdicts and ends of plans as they come, for a screen that stays open: counted, and told in batches. */
import type { Keys } from "@quantum/contract";
import { type Entry, isLater, keptSinceMs } from "@quantum/streams";
import type { OpenAccess } from "./access.ts";
import type { Place } from "./place.ts";
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
  if (!tally.hasBegun) await begin(access, tally);
  const options = { after: tally.after, gatherMs: GATHER_MS, stop };
  for await (const { partition, stream, entries } of tail(access, followed, options)) {
    const rows = entries.map((entry) => count(partition, tally, stream, entry));
    const begun = tally.toldAfter.get(stream);
    if (begun === undefined) ended(rows);
    else {
      const fresh = rows.filter((_, at) => isLater(entries[at]?.id ?? begun, begun));
      if (fresh.length > 0) ended(fresh);
      if (!isLater(begun, entries.at(-1)?.id ?? begun)) tally.toldAfter.delete(stream);
    }
  }
}

const followed = ({ streams }: Keys) => [streams.execute, streams.result];

async function begin(access: OpenAccess, tally: WaitTally): Promise<void> {
  const hourAgo = `${Math.max(0, Math.floor(access.nowMs()) - HOUR_MS)}-0`;
  const read = await Promise.all(
    access.partitions.map(async (partition) => {
      const streams = followed(partition.keys);
      const [ends, ...kept] = await Promise.all([
        endsOf(partition, streams),
        ...streams.map((stream) => keptSinceMs(partition.redis, stream)),
      ]);
      return { ends, kept };
    }),
  );
  const ends = new Map(read.flatMap((one) => one.ends));
  const after = new Map([...ends.keys()].map((stream) => [stream, hourAgo]));
  tally.begin(after, ends, Math.max(...read.flatMap(({ kept }) => kept)));
}

function count({ keys }: Place, tally: WaitTally, stream: string, entry: Entry): PlanRow {
  const wait = waitOf(stream, entry, keys);
  if (wait !== undefined) tally.addWait(wait);
  if (stream === keys.streams.execute) return rowOfVerdict(entry);
  const row = rowOfResult(entry);
  tally.addResult(row);
  return row;
}
