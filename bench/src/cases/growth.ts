/** Case 5: the effect of many waiting plans, long streams and symbols on other plans. */
import { setTimeout as delay } from "node:timers/promises";
import { createKeys } from "@quantum/contract";
import { GROUPS } from "@quantum/topology";
import type { Bench, Case } from "../bench.ts";
import { monotonicMs } from "../clock.ts";
import type { Contender } from "../contender.ts";
import { measureLatency, measureThroughput } from "../measure.ts";
import { startPipeline } from "../pipeline.ts";
import { Rig } from "../rig.ts";
import { benchSymbols, startApplyLayer, startServices } from "../services.ts";
import { PER_SYMBOL, spansMs } from "./throughput.ts";

const keys = createKeys();
const SYMBOLS = 64;
const WINDOW = PER_SYMBOL * SYMBOLS;
const RATE_PER_SEC = 500;
/** The services' longest wait. Parking and measuring must finish within it. */
const WAIT_BUDGET_MS = 59_000;
const PARKED_AT_ONCE = 250;
/** Far from the numbers of the measured plans. */
const FIRST_PARKED = 1_000_000_000;
/** Parking takes at most this long; the rest of the wait is for measuring. */
const PARK_TIMEOUT_MS = 40_000;
const PARK_LOOK_MS = 20;
const ENTRIES = 1_000_000;
const ENTRIES_AT_ONCE = 10_000;
/** Effectively no limit, because nobody answers the parked plans. */
const BACKLOG_MAX = "10000000";

export const growth: Case = async (bench) => {
  const full = bench.size === "full";
  for (const count of full ? [1, 100, 10_000, 100_000] : [1, 10_000]) await waiting(bench, count);
  if (!full) return;
  for (const count of [1, 8, 64, 566]) await scaled(bench, `${count} symbols`, { symbols: count });
  await scaled(bench, `${ENTRIES.toLocaleString("en")} entries behind`, { entries: ENTRIES });
};

/** `count` plans wait with one of two permits while other plans come and go. This process acts as their issuers. */
async function waiting(bench: Bench, count: number): Promise<void> {
  const symbols = benchSymbols(SYMBOLS);
  const rig = await Rig.start({ appendfsync: "everysec" });
  try {
    const env = { APPLY_PERMIT_WAIT_MS: String(WAIT_BUDGET_MS), APPLY_BACKLOG_MAX: BACKLOG_MAX };
    await startApplyLayer({ rig, symbols, env });
    const pipeline = await startPipeline({ rig, symbols, drivesIssuers: true, until: "verdict" });
    const load = `${count.toLocaleString("en")} waiting`;
    // Excludes the cost of the first plans (code, scripts, buffers).
    await measureThroughput(pipeline, { window: WINDOW, releases: true, warmupMs: 0, durationMs: 500 });
    const memoryBefore = await rig.infoNumber("memory", "used_memory");
    const before = (await rig.usage()).get("apply-layer")?.rssBytes ?? Number.NaN;
    bench.progress(`growth: parking ${load} plans`);
    const parked = await park(rig, pipeline, count);
    const memory = await rig.infoNumber("memory", "used_memory");
    const after = (await rig.usage()).get("apply-layer")?.rssBytes ?? Number.NaN;
    for (let repeat = 1; repeat <= bench.repeats; repeat++) {
      bench.progress(`growth: ${load}, run ${repeat} of ${bench.repeats}`);
      const latency = { from: "wake", ratePerSec: RATE_PER_SEC, warmupMs: 300, durationMs: 1_000 } as const;
      const { p50Ms, p99Ms } = { p50Ms: 0, p99Ms: 0, ...(await measureLatency(pipeline, latency)) };
      const run = { window: WINDOW, releases: true, warmupMs: 300, durationMs: 1_500 };
      const { plansPerSec = Number.NaN } = await measureThroughput(pipeline, run);
      bench.results.add(
        { case: "growth: waiting plans", load, system: "pipeline" },
        {
          waiting: parked,
          "others, plans/s": plansPerSec,
          "others' wake p50, ms": p50Ms,
          "others' wake p99, ms": p99Ms,
          ...(count >= 10_000
            ? {
                "Redis bytes a waiting plan, stream entries included": (memory - memoryBefore) / parked,
                "apply-layer bytes a waiting plan": (after - before) / parked,
              }
            : {}),
        },
      );
    }
    await pipeline.stop();
  } finally {
    await rig.stop();
  }
}

/** @returns how many plans wait; fewer than `count` if opening them takes until the first deadlines */
async function park(rig: Rig, pipeline: Contender, count: number): Promise<number> {
  const answeredBefore = await permitsAdded(rig);
  const answered = async () => (await permitsAdded(rig)) - answeredBefore;
  const untilMs = monotonicMs() + PARK_TIMEOUT_MS;
  let published = 0;
  while (published < count && monotonicMs() < untilMs) {
    const until = Math.min(published + PARKED_AT_ONCE, count);
    while (published < until) pipeline.publish(FIRST_PARKED + ++published);
    while ((await answered()) < published && monotonicMs() < untilMs) await delay(PARK_LOOK_MS);
  }
  return answered();
}

/** Not the stream's length, because the stream is trimmed. */
async function permitsAdded(rig: Rig): Promise<number> {
  const info = (await rig.client.xinfo("STREAM", keys.streams.permit)) as unknown[];
  return Number(info[info.indexOf("entries-added") + 1]);
}

interface Scale {
  symbols?: number;
  /** Entries of earlier plans in each stream. */
  entries?: number;
}

async function scaled(bench: Bench, load: string, scale: Scale): Promise<void> {
  const { entries = 0 } = scale;
  const symbols = benchSymbols(scale.symbols ?? SYMBOLS);
  const rig = await Rig.start({ appendfsync: "everysec" });
  try {
    if (entries > 0) await fillStreams(rig, entries);
    await startServices({ rig, symbols, mode: "dry_run" });
    const pipeline = await startPipeline({ rig, symbols, drivesIssuers: false, until: "verdict" });
    const window = Math.min(PER_SYMBOL * symbols.length, WINDOW);
    for (let repeat = 1; repeat <= bench.repeats; repeat++) {
      bench.progress(`growth: ${load}, run ${repeat} of ${bench.repeats}`);
      const { ended: _, ...figures } = await measureThroughput(pipeline, { window, ...spansMs(bench) });
      bench.results.add({ case: "growth: throughput", load, system: "pipeline" }, figures);
    }
    await pipeline.stop();
  } finally {
    await rig.stop();
  }
}

const FILL = `
for i = 1, ARGV[1] do
  redis.call('XADD', KEYS[1], '*', 'plan_id', '0000000000000000', 'symbol', 'BENCH000USDT', 'decision', 'SKIP')
end`;

/** Adds entries that every group has already received. */
async function fillStreams(rig: Rig, entries: number): Promise<void> {
  const { streams } = keys;
  for (const filled of ["plan", "permit", "result"] as const) {
    const stream = streams[filled];
    for (let done = 0; done < entries; done += ENTRIES_AT_ONCE)
      await rig.client.eval(FILL, 1, stream, ENTRIES_AT_ONCE);
    const groups = GROUPS.filter((group) => group.stream === filled);
    for (const { group } of groups) await rig.client.xgroup("CREATE", stream, group, "$");
  }
}
