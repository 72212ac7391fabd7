/** What services make of an operator's command: looked for until it is there. */
import { setTimeout as delay } from "node:timers/promises";
import { dispositionOf } from "@quantum/redis";

const LOOK_EVERY_MS = 100;

export type Sought<T> =
  | { kind: "found"; found: T }
  | { kind: "not there" }
  /** Redis did not answer the last look. */
  | { kind: "not known"; problem: Error };

/**
 * The command stands whatever becomes of Redis, so a look that fails is repeated.
 * @param look undefined: not yet
 * @throws what `look` throws, unless it passes by itself
 */
export async function lookFor<T>(look: () => Promise<T | undefined>, withinMs: number): Promise<Sought<T>> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const sought = await lookOnce(look);
    if (sought.kind === "found" || performance.now() > deadline) return sought;
    await delay(LOOK_EVERY_MS);
  }
}

async function lookOnce<T>(look: () => Promise<T | undefined>): Promise<Sought<T>> {
  try {
    const found = await look();
    return found === undefined ? { kind: "not there" } : { kind: "found", found };
  } catch (error) {
    if (error instanceof Error && dispositionOf(error).kind === "passes")
      return { kind: "not known", problem: error };
    throw error;
  }
}
