/** Looks whether the run's Redis answers: says once that it does not, and gives it up when that lasts. */
import { setTimeout as delay } from "node:timers/promises";
import type { RedisClient } from "@quantum/redis";

const LOOK_MS = 500;
/** A restart of a Redis that is the caller's takes seconds. */
const GIVEN_UP_MS = 10_000;

export interface RedisWatch {
  /** Resolves with what is wrong once it is given up. */
  readonly lost: Promise<string>;
  /** Waits until it answers (true) or is given up (false). */
  answers(): Promise<boolean>;
  stop(): void;
}

/** `say` is told when it goes and when it comes back. */
export function watchRedis(client: RedisClient, say: (text: string) => void): RedisWatch {
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
        say(`Redis does not answer (${problem}): waiting ${GIVEN_UP_MS / 1000} s for it`);
      } else if (performance.now() - silentSince > GIVEN_UP_MS) {
        lost.resolve(`Redis has not answered for ${GIVEN_UP_MS / 1000} s (${problem})`);
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
