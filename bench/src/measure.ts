/** Runs one contender once and returns its figures. */
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs } from "./clock.ts";
import type { Contender } from "./contender.ts";
import { Latency } from "./latency.ts";
import { openLoop } from "./open-loop.ts";

/** The figures of one run, by name; units last. */
export type Figures = Record<string, number>;

export interface LatencyRun {
  /** `wake`: from the intended time of the last permit; `wait`: from the intended time of publication. */
  from: "wake" | "wait";
  ratePerSec: number;
  warmupMs: number;
  durationMs: number;
}

export interface ThroughputRun {
  /** Plans in progress at once: each one that ends is replaced. */
  window: number;
  warmupMs: number;
  durationMs: number;
  /** This process drives the issuers: each plan's last permit is written as soon as the plan is published. */
  releases?: boolean;
}

/** In `wake`, work is published this long before its last permit; less than a step of the fallback poll. */
const LEAD_MS = 50;
/** How long work may take to end after the last arrival. What has not ended by then counts as unfinished. */
const DRAIN_MS = 2_500;
const DRAIN_LOOK_MS = 10;

let lastIndex = 0;

export async function measureLatency(contender: Contender, run: LatencyRun): Promise<Figures> {
  const { ratePerSec, warmupMs, durationMs } = run;
  const ticksOf = (ms: number) => Math.ceil((ms * ratePerSec) / 1000);
  const [warmup, lead] = [ticksOf(warmupMs), run.from === "wake" ? ticksOf(LEAD_MS) : 0];
  const count = warmup + ticksOf(durationMs);
  const leadMs = (lead * 1000) / ratePerSec;
  const first = lastIndex + 1;
  lastIndex += count;

  const due = new Float64Array(count);
  const ended = new Uint8Array(count);
  const latency = new Latency();
  let [pending, ok, refused] = [count, 0, 0];
  let lastVerdictMs = 0;
  contender.onVerdict = (index, isOk, atMs) => {
    const place = index - first;
    if (place < 0 || place >= count) return;
    pending -= 1;
    ended[place] = 1;
    if (place < warmup) return;
    lastVerdictMs = Math.max(lastVerdictMs, atMs);
    if (!isOk) refused += 1;
    else {
      ok += 1;
      latency.record(atMs - (due[place] ?? Number.NaN));
    }
  };
  const lag = await openLoop({
    ratePerSec,
    count: count + lead,
    send(tick, dueMs) {
      if (tick < count) contender.publish(first + tick, lead === 0 ? undefined : dueMs + leadMs);
      const released = tick - lead;
      if (released < 0) return;
      due[released] = dueMs;
      if (lead > 0) contender.release(first + released);
    },
  });
  await drained(() => pending === 0);
  if (pending > 0) {
    // Unfinished work counts with its wait so far, so percentiles are too low, never too high.
    const nowMs = monotonicMs();
    for (let place = warmup; place < count; place++)
      if (ended[place] === 0) latency.record(nowMs - (due[place] ?? Number.NaN));
    await contender.clear();
  }
  const startedMs = due[warmup] ?? Number.NaN;
  const { p50, p90, p99, p999, max } = latency.percentiles();
  return {
    p50Ms: p50,
    p90Ms: p90,
    p99Ms: p99,
    p999Ms: p999,
    maxMs: max,
    okPerSec: ok === 0 ? 0 : (ok * 1000) / (lastVerdictMs - startedMs),
    refusedShare: refused / (count - warmup),
    unfinishedShare: Math.max(0, pending) / count,
    generatorLagP99Ms: lag.p99,
  };
}

/** Closed loop: measures how much gets through, not how long each plan takes. */
export async function measureThroughput(contender: Contender, run: ThroughputRun): Promise<Figures> {
  const { window, warmupMs, durationMs, releases = false } = run;
  const first = lastIndex + 1;
  const startMs = monotonicMs();
  const [fromMs, untilMs] = [startMs + warmupMs, startMs + warmupMs + durationMs];
  let [underWay, ended, ok, refused] = [0, 0, 0, 0];
  const publish = () => {
    underWay += 1;
    lastIndex += 1;
    contender.publish(lastIndex);
    if (releases) contender.release(lastIndex);
  };
  contender.onVerdict = (index, isOk, atMs) => {
    if (index < first) return;
    underWay -= 1;
    ended += 1;
    if (monotonicMs() < untilMs) publish();
    if (atMs < fromMs || atMs >= untilMs) return;
    if (isOk) ok += 1;
    else refused += 1;
  };
  for (let i = 0; i < window; i++) publish();
  await delay(warmupMs + durationMs);
  await drained(() => underWay <= 0);
  if (underWay > 0) await contender.clear();
  return {
    plansPerSec: (ok * 1000) / durationMs,
    refusedShare: refused / Math.max(1, ok + refused),
    ended,
  };
}

async function drained(isDone: () => boolean): Promise<void> {
  const until = monotonicMs() + DRAIN_MS;
  while (!isDone() && monotonicMs() < until) await delay(DRAIN_LOOK_MS);
}
