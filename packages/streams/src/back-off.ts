import { setTimeout as delay } from "node:timers/promises";

const STEP_MS = 200;
const MAX_MS = 2_000;

/** Pauses after a failed attempt, longer after each. Resolves at once when the signal is aborted. */
export async function backOff(attempt: number, signal: AbortSignal): Promise<void> {
  await delay(Math.min(STEP_MS * attempt, MAX_MS), undefined, { signal }).catch(() => undefined);
}
