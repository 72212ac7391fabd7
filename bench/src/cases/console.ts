/**
 * Case 12, only by name: what the console costs a busy pipeline, with 20 browsers' event streams: throughput with and without it,
 * its share of the CPU, its memory over time, and how long a halt takes.
 */
import { urlOfUser } from "@quantum/harness";
import type { Bench, Case } from "../bench.ts";
import { monotonicMs } from "../clock.ts";
import type { Contender } from "../contender.ts";
import { measureLatency, measureThroughput } from "../measure.ts";
import { startPipeline } from "../pipeline.ts";
import { Rig } from "../rig.ts";
import { benchSymbols, startServices } from "../services.ts";
import { openConsole, type Watchers } from "../watchers.ts";
import { PER_SYMBOL, spansMs } from "./throughput.ts";

const SYMBOLS = 64;
const STREAMS = 20;
const RATE_PER_SEC = 1_000;
const WARM_UP_MS = 8_000;
const WARM_UP_QUICK_MS = 2_000;
/** "Memory flat over 10 minutes": looked at ten times. */
const LOOKS = 10;
const LOOK_MS = { quick: 2_000, default: 6_000, full: 60_000 };
const KILLS = 5;

export const console: Case = async (bench) => {
  const symbols = benchSymbols(SYMBOLS);
  const rig = await Rig.start({ appendfsync: "everysec" });
  let watchers: Watchers | undefined;
  try {
    await startServices({ rig, symbols, mode: "dry_run" });
    const pipeline = await startPipeline({ rig, symbols, drivesIssuers: false, until: "verdict" });
    const operatorUrl = urlOfUser(rig.url, "operator");
    watchers = await openConsole(rig, operatorUrl);
    bench.progress("console: warming the pipeline up");
    const durationMs = bench.size === "quick" ? WARM_UP_QUICK_MS : WARM_UP_MS;
    await measureThroughput(pipeline, { window: PER_SYMBOL * SYMBOLS, warmupMs: 0, durationMs });
    await compare(bench, pipeline, watchers);
    await look(bench, rig, pipeline, watchers);
    await kill(bench, watchers);
    await pipeline.stop();
  } finally {
    await watchers?.stop();
    await rig.stop();
  }
};

/** Interleaved: with nobody who looks, the console reads nothing. */
async function compare(bench: Bench, pipeline: Contender, watchers: Watchers): Promise<void> {
  for (let repeat = 1; repeat <= bench.repeats; repeat++) {
    for (const streams of [0, STREAMS]) {
      bench.progress(`console: ${streams} event streams, run ${repeat} of ${bench.repeats}`);
      await watchers.watch(streams);
      const system = streams === 0 ? "nobody looks" : `${streams} event streams`;
      const window = PER_SYMBOL * SYMBOLS;
      const { ended: _, ...most } = await measureThroughput(pipeline, { window, ...spansMs(bench) });
      bench.results.add({ case: "console: throughput", load: "as much as goes", system }, most);
      const latency = await measureLatency(pipeline, {
        from: "wait",
        ratePerSec: RATE_PER_SEC,
        ...spansMs(bench),
      });
      bench.results.add(
        { case: "console: wait", load: `${RATE_PER_SEC.toLocaleString("en")} plans/s`, system },
        latency,
      );
    }
  }
}

/** At the rate, with all streams: CPU, bytes and memory of every part of the time. */
async function look(bench: Bench, rig: Rig, pipeline: Contender, watchers: Watchers): Promise<void> {
  await watchers.watch(STREAMS);
  for (let no = 1; no <= LOOKS; no++) {
    const [before, bytesBefore, startMs] = [await rig.usage(), watchers.bytes(), monotonicMs()];
    const durationMs = LOOK_MS[bench.size];
    await measureLatency(pipeline, { from: "wait", ratePerSec: RATE_PER_SEC, warmupMs: 0, durationMs });
    const [after, seconds] = [await rig.usage(), (monotonicMs() - startMs) / 1_000];
    const cpu = (name: string) =>
      ((after.get(name)?.cpuSec ?? 0) - (before.get(name)?.cpuSec ?? 0)) / seconds;
    bench.results.add(
      {
        case: "console: over time",
        load: `part ${no} of ${LOOKS}, ${seconds.toFixed(0)} s each`,
        system: "console",
      },
      {
        "console CPU, share of a core": cpu("console"),
        "Redis CPU, share of a core": cpu("redis"),
        "console RSS, MB": (after.get("console")?.rssBytes ?? 0) / 2 ** 20,
        "sent to each browser, kB/s": (watchers.bytes() - bytesBefore) / STREAMS / seconds / 1_000,
      },
    );
    bench.progress(`console: ${no} of ${LOOKS} looks`);
  }
}

/** From the request of the one action to the key in Redis. */
async function kill(bench: Bench, watchers: Watchers): Promise<void> {
  for (let no = 1; no <= KILLS; no++) {
    const startMs = monotonicMs();
    await watchers.act("kill-on", {});
    const tookMs = monotonicMs() - startMs;
    bench.results.add(
      { case: "console: halt", load: "one action", system: "console" },
      { "took, ms": tookMs },
    );
    await watchers.act("kill-off", { reason: "bench" });
  }
}
