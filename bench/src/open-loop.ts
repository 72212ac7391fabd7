/**
 * An open-loop generator: arrivals happen at their intended times, however late the answers are. Node's timers are too
 * coarse for this (1 ms, and late), and spinning would take a core away from the system under test. So it sleeps in
 * short pieces and lets the event loop run in between.
 */
import { setImmediate as turn, setTimeout as delay } from "node:timers/promises";
import { monotonicMs } from "./clock.ts";
import { Latency, type Percentiles } from "./latency.ts";

/** How late an answer may be seen because the generator sleeps. */
const NAP_MS = 0.1;
/** Timers are too coarse when the next arrival is closer than this. */
const TIMER_MS = 3;
const TIMER_SLACK_MS = 1.5;
/** If the generator is late, the most sends before the event loop runs. */
const BURST = 32;

export interface OpenLoop {
  ratePerSec: number;
  count: number;
  /** `dueMs`: the intended time, by {@link monotonicMs}. Must not throw. */
  send: (index: number, dueMs: number) => void;
}

/** @returns how late the sends were, which shows whether the generator kept its rate */
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
