/** Watches the run's Redis: reports when it does not answer, and gives up after a while. */
import { setTimeout as delay } from "node:timers/promises";
import type { RedisClient } from "@quantum/redis";

const LOOK_MS = 500;

export interface RedisWatch {
  /** Resolves with the problem when it gives up. */
  readonly lost: Promise<string>;
  /** Resolves with true when Redis answers, or false when it gives up. */
  answers(): Promise<boolean>;
  stop(): void;
}

/** `say` is called when Redis stops answering and when it answers again. */
export function watchRedis(client: RedisClient, silenceMs: number, say: (text: string) => void): RedisWatch {
  const lost = Promise.withResolvers<string>();
  const stopping = new AbortController();
  let lookAgain = Promise.withResolvers<boolean>();
  const ping = async (): Promise<string | undefined> => {
    try {
      await client.ping();
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
  const watch = async () => {
    let silentSince: number | undefined;
    while (!stopping.signal.aborted) {
      const problem = await ping();
      if (stopping.signal.aborted) return;
      if (problem === undefined) {
        if (silentSince !== undefined) say("Redis answers again");
        silentSince = undefined;
        lookAgain.resolve(true);
        lookAgain = Promise.withResolvers();
      } else if (silentSince === undefined) {
        silentSince = performance.now();
        say(`Redis does not answer (${problem}): waiting ${silenceMs / 1000} s for it`);
      } else if (performance.now() - silentSince > silenceMs) {
        lost.resolve(`Redis has not answered for ${silenceMs / 1000} s (${problem})`);
        return;
      }
      await delay(LOOK_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  void watch();
  return {
    lost: lost.promise,
    answers: () => Promise.race([lookAgain.promise, lost.promise.then(() => false)]),
    stop: () => stopping.abort(),
  };
}
