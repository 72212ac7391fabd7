/**
 * An open-loop generator: arrivals come at their intended times however late the answers are. Node's timers are too
 * coarse for this (1 ms, and late); spinning would take one of the machine's cores from what is measured. So it sleeps
 * in short pieces and lets the event loop turn in between.
 */
import { setImmediate as turn, setTimeout as delay } from "node:timers/promises";
import { monotonicMs } from "./clock.ts";
import { Latency, type Percentiles } from "./latency.ts";

/** Answers are seen this much late at most because the generator sleeps. */
const NAP_MS = 0.1;
/** Nearer than this to the next arrival, timers are too coarse. */
const TIMER_MS = 3;
const TIMER_SLACK_MS = 1.5;
/** When late, so many are sent at most before the event loop turns. */
const BURST = 32;

export interface OpenLoop {
  ratePerSec: number;
  count: number;
  /** `dueMs`: the intended time, {@link monotonicMs}. Must not throw. */
  send: (index: number, dueMs: number) => void;
}

/** @returns how late the sends were; a generator that cannot keep its rate shows here. */
export async function openLoop({ ratePerSec, count, send }: OpenLoop): Promise<Percentiles> {
  const lag = new Latency();
  const startMs = monotonicMs() + TIMER_MS;
  let burst = 0;
  for (let index = 0; index < count;) {
    const dueMs = startMs + (index * 1000) / ratePerSec;
    const lateMs = monotonicMs() - dueMs;
    if (lateMs >= 0 && burst < BURST) {
      lag.record(lateMs);
      send(index, dueMs);
      index += 1;
      burst += 1;
      continue;
    }
    burst = 0;
    if (lateMs < -TIMER_MS) await delay(-lateMs - TIMER_SLACK_MS);
    else {
      await turn();
      nap(Math.min(dueMs - monotonicMs(), NAP_MS));
    }
  }
  return lag.percentiles();
}

const cell = new Int32Array(new SharedArrayBuffer(4));

function nap(ms: number): void {
  if (ms > 0) Atomics.wait(cell, 0, 0, ms);
}
