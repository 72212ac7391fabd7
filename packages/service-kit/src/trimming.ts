/**
 * Keeps the streams that a service consumes at the length that the Python services kept them (WIRE.md, "Streams"). Our
 * scripts append without MAXLEN, which would trim what a group has not read yet. Whoever consumes a stream trims it, every
 * replica on its own: trimming twice changes nothing, and a stream within its bound costs one XLEN.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { RedisClient } from "@quantum/redis";
import { trim } from "@quantum/streams";
import type { Logger } from "pino";

export const STREAM_LENGTH = 10_000;
export const TRIM_EVERY_MS = 60_000;

/** Trims regularly until stopped. A failure is logged: the next turn tries again. */
export function startTrimming(redis: RedisClient, streams: readonly string[], log: Logger) {
  const stopping = new AbortController();
  const { signal } = stopping;
  const running = (async () => {
    for (;;) {
      await delay(TRIM_EVERY_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await trimAll(redis, streams, log);
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

/** One turn; a stream that cannot be trimmed does not keep the others from it. */
export async function trimAll(redis: RedisClient, streams: readonly string[], log: Logger): Promise<void> {
  for (const stream of new Set(streams)) {
    try {
      const trimmed = await trim(redis, stream, STREAM_LENGTH);
      if (trimmed > 0) log.info({ stream, trimmed }, "stream trimmed");
    } catch (error) {
      log.warn({ stream, err: error }, "failed to trim a stream, trying again");
    }
  }
}
