import { setTimeout as delay } from "node:timers/promises";
import { patienceMs } from "./patience.ts";

const PROBE_MS = 20;

/** Waits until `probe` returns a value, for states that send no event. The timeout is extended under load. */
export async function eventually<T>(
  probe: () => Promise<T | undefined>,
  timeoutMs: number,
  what: string,
): Promise<T> {
  const patience = patienceMs(timeoutMs);
  const deadline = performance.now() + patience;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`not within ${patience} ms: ${what}`);
    await delay(PROBE_MS);
  }
}
