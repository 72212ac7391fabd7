/** The campaign's own commands to Redis. Its connections have to follow the masters, too. */
import { setTimeout as delay } from "node:timers/promises";
import { dispositionOf } from "@quantum/redis";

/** A connection gives a command up after 2 s, and a failover takes some seconds. */
const ANSWERED_WITHIN_MS = 30_000;
const RETRY_MS = 50;

/**
 * Asks again after an error that passes. `ask` may run several times.
 * @throws the last error
 */
export async function untilAnswered<T>(
  ask: () => Promise<T>,
  withinMs: number = ANSWERED_WITHIN_MS,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (dispositionOf(error).kind !== "passes" || performance.now() > deadline) throw error;
      await delay(RETRY_MS);
    }
  }
}
