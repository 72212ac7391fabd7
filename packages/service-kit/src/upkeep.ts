/**
 * What a service owes the streams that it consumes, once a minute. Every replica does it on its own: doing it twice
 * changes nothing, and where there is nothing to do it costs two commands.
 *
 * - Their length: kept as the Python services kept it (docs/wire.md, "Streams"). Our scripts append without MAXLEN, which
 *   would trim what a group has not read yet.
 * - Their consumers: one whose replica is gone for good, with nothing pending, is removed.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { RedisClient } from "@quantum/redis";
import { removeIdleConsumers, type StreamConsumer, trim } from "@quantum/streams";
import type { Logger } from "pino";
import type { Progress } from "./progress.ts";

export const STREAM_LENGTH = 10_000;
const UPKEEP_EVERY_MS = 60_000;
/** After a start, and after a failure: a service or a Redis that often restarts must not keep it from being done. */
const UPKEEP_AGAIN_MS = 5_000;
/**
 * A replica that is down for less than this keeps its name. One that lives but reads nothing may lose it too (Redis 7.0
 * does not count an empty read as use): its next read makes it again, and it had nothing pending.
 */
export const CONSUMER_IDLE_MS = 3_600_000;

export type Consumed = Pick<StreamConsumer, "stream" | "group" | "consumer">;

/** Does it regularly until stopped. A failure is logged: the next turn tries again. */
export function startUpkeep(
  redis: RedisClient,
  consumed: readonly Consumed[],
  log: Logger,
  progress: Progress,
) {
  const turn = progress.loop("keep the streams in order", UPKEEP_EVERY_MS, async () => {
    if (!(await upkeep(redis, consumed, log)))
      throw new Error("a stream cannot be kept in order, see the log");
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

/** One turn; a stream that fails does not keep the others from it. @returns whether none has failed */
export async function upkeep(
  redis: RedisClient,
  consumed: readonly Consumed[],
  log: Logger,
): Promise<boolean> {
  let isDone = true;
  for (const { stream, group, consumer } of consumed) {
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
