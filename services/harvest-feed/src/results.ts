import { resultEntry } from "@quantum/contract";
import { type RedisClient, withDeadline } from "@quantum/redis";
import { parseEntries, type RawEntry } from "@quantum/streams";

const BLOCK_MS = 2_000;
/**
 * If a blocking read takes this much longer than its BLOCK, the connection is dead. A read that has to be sent again, since its
 * connection was lost, blocks from its beginning, and one that was given up keeps the next one waiting.
 */
const BLOCK_GRACE_MS = 5_000;
const COUNT = 1_000;

/** Parses only the fields needed here, so that no other field can hide that a plan ended. */
const ending = resultEntry.pick({ plan_id: true, executed: true });

export interface Results {
  results: { planId: string; executed: boolean }[];
  /** The id from which to continue. */
  last: string;
}

/** The id of the stream's newest entry. Unlike `$`, it leaves no gap between two reads. */
export async function latestId(redis: RedisClient, stream: string): Promise<string> {
  const [newest] = await redis.xrevrange(stream, "+", "-", "COUNT", 1);
  return newest?.[0] ?? "0-0";
}

/** Waits for results after an id. Uses no group: every reader sees all results, and nothing is pending. */
export async function readResults(blocking: RedisClient, stream: string, after: string): Promise<Results> {
  const read = blocking.xread("COUNT", COUNT, "BLOCK", BLOCK_MS, "STREAMS", stream, after) as Promise<
    [string, RawEntry[]][] | null
  >;
  try {
    const reply = await withDeadline(read, BLOCK_MS + BLOCK_GRACE_MS, `XREAD ${stream}`);
    const entries = parseEntries(reply?.[0]?.[1] ?? []);
    const results = entries.flatMap(({ fields }) => {
      const parsed = ending.safeParse(fields);
      return parsed.success ? [{ planId: parsed.data.plan_id, executed: parsed.data.executed }] : [];
    });
    return { results, last: entries.at(-1)?.id ?? after };
  } catch (error) {
    if (error instanceof Error && error.name === "DeadlineError") blocking.disconnect(true);
    throw error;
  }
}
