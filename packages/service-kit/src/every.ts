import { setTimeout as delay } from "node:timers/promises";

/** Runs a task again and again, `ms` after its last end, until stopped; a failure is reported and does not end it. */
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
