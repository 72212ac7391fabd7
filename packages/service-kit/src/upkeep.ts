/**
 * Once a minute, each replica of a service maintains the streams that it consumes. Doing it twice changes nothing, and
 * if there is nothing to do it costs two commands.
 *
 * - Length: trimmed to the length the Python services kept (docs/wire.md, "Streams"). Our scripts append without
 *   MAXLEN, which would also trim entries that a group has not read yet.
 * - Consumers: one whose replica is gone for good and that has nothing pending is removed.
 */
import { setTimeout as delay } from "node:timers/promises";
import { removeIdleConsumers, type StreamConsumer, trim } from "@quantum/streams";
import type { Logger } from "pino";
import type { Progress } from "./progress.ts";

export const STREAM_LENGTH = 10_000;
const UPKEEP_EVERY_MS = 60_000;
/** Shorter after a start or a failure, so that upkeep happens even if the service or Redis restarts often. */
const UPKEEP_AGAIN_MS = 5_000;
/**
 * A replica that is down for less than this keeps its consumer. A live replica that reads nothing may lose its consumer
 * too (Redis 7.0 does not count an empty read as activity), but it had nothing pending and its next read creates it
 * again.
 */
export const CONSUMER_IDLE_MS = 3_600_000;

export type Consumed = Pick<StreamConsumer, "redis" | "stream" | "group" | "consumer">;

/** Runs upkeep regularly until stopped. A failure is logged, and the next turn tries again. */
export function startUpkeep(consumed: readonly Consumed[], log: Logger, progress: Progress) {
  const turn = progress.loop("keep the streams in order", UPKEEP_EVERY_MS, async () => {
    if (!(await upkeep(consumed, log))) throw new Error("a stream cannot be kept in order, see the log");
  });
  const stopping = new AbortController();
  const { signal } = stopping;
  const running = (async () => {
    let pauseMs = UPKEEP_AGAIN_MS;
    for (;;) {
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      pauseMs = await turn().then(
        () => UPKEEP_EVERY_MS,
        () => UPKEEP_AGAIN_MS,
      );
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

/**
 * One turn. A failing stream does not prevent upkeep of the others.
 * @returns whether all succeeded
 */
export async function upkeep(consumed: readonly Consumed[], log: Logger): Promise<boolean> {
  let isDone = true;
  for (const { redis, stream, group, consumer } of consumed) {
    try {
      const trimmed = await trim(redis, stream, STREAM_LENGTH);
      if (trimmed > 0) log.info({ stream, trimmed }, "stream trimmed");
      const removed = await removeIdleConsumers(redis, {
        stream,
        group,
        keep: consumer,
        idleMs: CONSUMER_IDLE_MS,
      });
      if (removed.length > 0) log.info({ stream, group, removed }, "unused consumers removed");
    } catch (error) {
      isDone = false;
      log.warn({ stream, group, err: error }, "failed to keep a stream in order, trying again");
    }
  }
  return isDone;
}
