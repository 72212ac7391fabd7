/**
 * Whether consumers make progress: their groups, reads and entries, and whether somebody else takes entries from them.
 */
import { dispositionOf } from "@quantum/redis";
import { pythonConsumers, type StreamConsumer } from "@quantum/streams";
import type { Progress } from "./progress.ts";

/** A consumer is not ready after this long without an answered read (several BLOCKs). */
const PROGRESS_BOUND_MS = 20_000;
/** Long enough for a regular check to see it. */
const LOSS_SHOWN_MS = 30_000;
/** Several intervals of the search for entries that a dead replica left. */
const RECLAIM_BOUND_MS = 20_000;
/** No handler takes this long: requests to Redis and to the exchange have shorter deadlines. */
const HANDLER_BOUND_MS = 60_000;

/** Tracks entries that keep being retried. */
export function watchEntries(consumer: StreamConsumer, progress: Progress): void {
  const attempts = progress.attempts(`handle entries of ${consumer.stream}`);
  consumer.on("handled", ({ entry, disposition }) => {
    if (disposition.kind === "retry") attempts.failed(entry.id, disposition.reason);
    else attempts.ended(entry.id);
  });
}

/** Why a consumer is not ready. */
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
  // If Redis refuses for good, there is no point in waiting.
  if (readMs > PROGRESS_BOUND_MS || dispositionOf(problem).kind === "refused")
    return [`no read of ${stream} was answered for ${seconds(readMs)} s${why}`];
  if (reclaimMs > RECLAIM_BOUND_MS)
    return [`no search for pending entries of ${stream} has succeeded for ${seconds(reclaimMs)} s`];
  if (oldest !== undefined && oldest.ms > HANDLER_BOUND_MS)
    return [`entry ${oldest.id} of ${stream} has been in progress for ${seconds(oldest.ms)} s`];
  return [];
}

/** Whether a Python service takes entries from our group. If Redis does not answer, another check reports it. */
export async function shared({ redis, stream, group }: StreamConsumer): Promise<string[]> {
  const names = await pythonConsumers(redis, stream, group).catch(() => []);
  if (names.length === 0) return [];
  return [
    `${names.join(", ")} reads ${stream} in our group ${group}: two services of one role are at work, stop one of them`,
  ];
}
