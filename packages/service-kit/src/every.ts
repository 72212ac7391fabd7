import { setTimeout as delay } from "node:timers/promises";

/**
 * Runs a task repeatedly, `ms` after the previous run ended, until stopped. A failure is reported and the task runs
 * again.
 */
export function every(ms: number, task: () => Promise<void>, onError: (error: Error) => void) {
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await task().catch(onError);
      await delay(ms, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
