/** Between two tries: longer each time, and not within a pause that the venue asked for. */
import { setTimeout as delay } from "node:timers/promises";
import type { OpenAccess } from "../access.ts";
import { readPauses } from "../pauses.ts";

export const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5_000;
const PAUSE_MAX_MS = 60_000;
/** How often it is checked whether an operator has ended the pause. */
const PAUSE_LOOK_MS = 1_000;

export function nextWaitMs(waitMs: number): number {
  return Math.min(waitMs * 2, LONGEST_WAIT_MS);
}

/**
 * How much longer the venue accepts nothing, as far as it is worth waiting; 0 without a pause. The executor sends nothing
 * in a pause, so a try costs nothing, and whoever forges a long pause does not prevent the next one.
 */
export async function pausedMs(access: OpenAccess): Promise<number> {
  const pauses = await readPauses(access.partitions.account).catch(() => []);
  return Math.min(Math.max(0, ...pauses.map(({ leftMs }) => leftMs)), PAUSE_MAX_MS);
}

/** Ends early after `stop`, and once a pause is over that was the reason to wait for longer. */
export async function waitOut(access: OpenAccess, forMs: number, stop: AbortSignal): Promise<void> {
  const endAt = performance.now() + forMs;
  const sleep = (ms: number) => delay(ms, undefined, { signal: stop }).catch(() => undefined);
  await sleep(Math.min(forMs, LONGEST_WAIT_MS));
  for (;;) {
    const leftMs = endAt - performance.now();
    if (stop.aborted || leftMs <= 0 || (await pausedMs(access)) === 0) return;
    await sleep(Math.min(leftMs, PAUSE_LOOK_MS));
  }
}

/**
 * After Redis came back it may have forgotten what was sent, so an executor only asks the venue about what was signed in the
 * first 5 s, for a minute. Executors may notice 1 s later.
 */
const FORGETFUL_MS = 7_000;

/** How long it is useless to sign a plan, because Redis has just come back; 0 if it is not. */
export function forgetfulMs(backAt: number | undefined, nowAt: number): number {
  return backAt === undefined ? 0 : Math.max(0, Math.ceil(backAt + FORGETFUL_MS - nowAt));
}

/** Waits until a plan that is signed is sent, and says so before. Ends early after `stop`. */
export async function* waitForMemory(
  { backAt }: Pick<OpenAccess, "backAt">,
  stop: AbortSignal,
): AsyncGenerator<{ why: string; waitMs: number }> {
  const waitMs = forgetfulMs(backAt(), performance.now());
  if (waitMs === 0) return;
  yield { why: "Redis was away, and executors send nothing that is signed right after", waitMs };
  await delay(waitMs, undefined, { signal: stop }).catch(() => undefined);
}
