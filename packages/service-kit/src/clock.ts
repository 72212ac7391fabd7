/**
 * How far this process's wall clock is from Redis's. The pipeline uses Redis's, but a wrong local clock misleads logs,
 * their readers and libraries.
 */
import { setTimeout as delay } from "node:timers/promises";
import { CLOCK_BOUND_MS } from "@quantum/contract";
import type { RedisClock } from "@quantum/redis";
import { Gauge, type Registry } from "prom-client";
import { saidOnce } from "./partition-sentences.ts";

/**
 * @param clocks one for each partition; those on one server differ by what a round trip takes
 * @returns a check that lists problems with the clock
 */
export function observeClocks(
  clocks: readonly Pick<RedisClock, "offsetMs">[],
  registry: Registry,
): () => string[] {
  /** Undefined if no clock has been read. */
  const worstMs = () =>
    clocks
      .flatMap(({ offsetMs }) => offsetMs ?? [])
      .reduce<number | undefined>(
        (worst, offsetMs) => (Math.abs(offsetMs) > Math.abs(worst ?? 0) ? offsetMs : (worst ?? offsetMs)),
        undefined,
      );
  new Gauge({
    name: "quantum_clock_offset_seconds",
    help: "How far this service's clock is ahead of Redis's; negative if it is behind; of several Redis servers the one that is farthest off",
    registers: [registry],
    collect() {
      const offsetMs = worstMs();
      if (offsetMs !== undefined) this.set(offsetMs / 1000);
    },
  });
  return () => {
    const offsetMs = worstMs();
    const unread = saidOnce(
      clocks.map((clock) => (clock.offsetMs === undefined ? ["Redis's time has not been read yet"] : [])),
    );
    if (offsetMs === undefined || Math.abs(offsetMs) <= CLOCK_BOUND_MS) return unread;
    const off = `${Math.round(Math.abs(offsetMs))} ms ${offsetMs > 0 ? "ahead of" : "behind"}`;
    return [
      ...unread,
      `this service's clock is ${off} Redis's, more than ${CLOCK_BOUND_MS} ms: one of the two hosts has the wrong time`,
    ];
  };
}

const RETRY_MS = 1_000;

/**
 * Resolves when the clocks agree.
 * @param waiting is called with what the start waits for, and with undefined at the end
 */
export async function clocksAgree(
  problems: () => string[],
  waiting: (what: string | undefined) => void,
): Promise<void> {
  for (let wrong = problems(); wrong.length > 0; wrong = problems()) {
    waiting(`the clocks to agree: ${wrong.join("; ")}`);
    await delay(RETRY_MS);
  }
  waiting(undefined);
}
