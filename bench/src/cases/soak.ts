/** Case 8, only by name: a million plans, and whether anything grows. */
import type { Case } from "../bench.ts";
import { monotonicMs } from "../clock.ts";
import { measureLatency, measureThroughput } from "../measure.ts";
import { startPipeline } from "../pipeline.ts";
import { Rig } from "../rig.ts";
import { benchSymbols, startServices } from "../services.ts";
import { PER_SYMBOL } from "./throughput.ts";

const PLANS = 1_000_000;
const QUICK_PLANS = 20_000;
const LOOKS = 10;
const SYMBOLS = 64;
const SLICE_MS = 5_000;

export const soak: Case = async (bench) => {
  const symbols = benchSymbols(SYMBOLS);
  const total = bench.size === "quick" ? QUICK_PLANS : PLANS;
  const rig = await Rig.start({ appendfsync: "everysec" });
  try {
    const urls = await startServices({ rig, symbols, mode: "dry_run" });
    const pipeline = await startPipeline({ rig, symbols, drivesIssuers: false, until: "verdict" });
    let plans = 0;
    for (let look = 1; look <= LOOKS; look++) {
      while (plans < (total * look) / LOOKS) {
        const run = { window: PER_SYMBOL * SYMBOLS, warmupMs: 0, durationMs: SLICE_MS };
        plans += (await measureThroughput(pipeline, run))["ended"] ?? 0;
      }
      bench.progress(`soak: ${plans.toLocaleString("en")} plans`);
      const latency = await measureLatency(pipeline, {
        from: "wait",
        ratePerSec: 500,
        warmupMs: 200,
        durationMs: 2_000,
      });
      const scrapedAt = monotonicMs();
      await (await fetch(`${urls.get("apply-layer")}/metrics`)).text();
      const figures: Record<string, number> = {
        "/metrics of the apply-layer, ms": monotonicMs() - scrapedAt,
        "wait p50, ms": latency["p50Ms"] ?? Number.NaN,
        "wait p99, ms": latency["p99Ms"] ?? Number.NaN,
        "Redis used_memory, MB": (await rig.infoNumber("memory", "used_memory")) / 2 ** 20,
      };
      for (const [name, { rssBytes }] of await rig.usage()) figures[`${name} RSS, MB`] = rssBytes / 2 ** 20;
      const load = `after ${Math.round((100 * look) / LOOKS)} % of ${total.toLocaleString("en")}`;
      bench.results.add({ case: "soak", load, system: "pipeline" }, figures);
    }
    await pipeline.stop();
  } finally {
    await rig.stop();
  }
};
