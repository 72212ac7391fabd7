/** What costs much is done for a few at a time, however many ask. */
import { Refusal } from "./refusal.ts";

const MS_PER_SEC = 1_000;

export function tooMany(what: string, waitMs: number): Refusal {
  const waitSec = Math.ceil(waitMs / MS_PER_SEC);
  return new Refusal(429, "rate", `${what}: try again in ${waitSec} s`, waitSec);
}

/**
 * Runs a few at a time; of those that would have to wait, a few wait, and the others are refused.
 * @param what is said to those who are refused
 */
export function turns(
  { atOnceMax, waitingMax }: { atOnceMax: number; waitingMax: number },
  what: string,
): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running < atOnceMax) running += 1;
    else if (waiting.length >= waitingMax) throw tooMany(what, MS_PER_SEC);
    // Who has done hands his turn on.
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
