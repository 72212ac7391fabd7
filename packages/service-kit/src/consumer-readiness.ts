/** Whether consumers move: their groups, reads, entries, and who else takes entries out of them. */
import { dispositionOf, type RedisClient } from "@quantum/redis";
import { pythonConsumers, type StreamConsumer } from "@quantum/streams";
import type { Progress } from "./progress.ts";

/** A consumer whose reads have not been answered for this long (several BLOCKs) is not ready. */
const PROGRESS_BOUND_MS = 20_000;
/** Long enough to be seen by a regular check. */
const LOSS_SHOWN_MS = 30_000;
/** Several of the consumer's looks for entries that a dead replica left. */
const RECLAIM_BOUND_MS = 20_000;
/** No handler takes this long: requests to Redis and exchange have shorter deadlines. */
const HANDLER_BOUND_MS = 60_000;

/** Entries that come again and again. */
export function watchEntries(consumer: StreamConsumer, progress: Progress): void {
  const attempts = progress.attempts(`handle entries of ${consumer.stream}`);
  consumer.on("handled", ({ entry, disposition }) => {
    if (disposition.kind === "retry") attempts.failed(entry.id, disposition.reason);
    else attempts.ended(entry.id);
  });
}

/** What keeps a consumer from being ready. */
export function notReady({
  stream,
  group,
  groupReady,
  groupLostAtMs,
  silence,
  problem,
}: StreamConsumer): string[] {
  const why = problem === undefined ? "" : `: ${problem.message}`;
  if (!groupReady) return [`the group ${group} on ${stream} does not exist${why}`];
  const seconds = (ms: number) => Math.round(ms / 1000);
  const lostMs = performance.now() - groupLostAtMs;
  if (lostMs < LOSS_SHOWN_MS)
    return [
      `the group ${group} on ${stream} was lost ${seconds(lostMs)} s ago: it is read again from its beginning`,
    ];
  const { readMs, reclaimMs, oldest } = silence;
  // What Redis refuses for good needs no patience.
  if (readMs > PROGRESS_BOUND_MS || dispositionOf(problem).kind === "refused")
    return [`no read of ${stream} was answered for ${seconds(readMs)} s${why}`];
  if (reclaimMs > RECLAIM_BOUND_MS)
    return [`pending entries of ${stream} could not be looked for in ${seconds(reclaimMs)} s`];
  if (oldest !== undefined && oldest.ms > HANDLER_BOUND_MS)
    return [`entry ${oldest.id} of ${stream} has been under way for ${seconds(oldest.ms)} s`];
  return [];
}

/** Whether a Python service takes entries out of our group. Redis's silence is told of above. */
export async function shared(redis: RedisClient, { stream, group }: StreamConsumer): Promise<string[]> {
  const names = await pythonConsumers(redis, stream, group).catch(() => []);
  if (names.length === 0) return [];
  return [
    `${names.join(", ")} reads ${stream} in our group ${group}: two services of one role are at work, stop one of them`,
  ];
}
