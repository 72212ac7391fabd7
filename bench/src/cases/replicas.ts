/**
 * What a second replica of each service costs. Both systems run at the same time, each on its own Redis, and are loaded in turn, so
 * that both meet the same machine.
 */
import type { Bench, Case } from "../bench.ts";
import type { Contender } from "../contender.ts";
import { measureThroughput } from "../measure.ts";
import { startPipeline } from "../pipeline.ts";
import { Rig } from "../rig.ts";
import { benchSymbols, startServices } from "../services.ts";
import { PER_SYMBOL, spansMs, warmUp, withCosts } from "./throughput.ts";

const SYMBOLS = 64;
const WINDOW = PER_SYMBOL * SYMBOLS;
const WARM_UP_MS = 8_000;
const ROUNDS: Record<Bench["size"], number> = { quick: 4, default: 12, full: 24 };

export const replicas: Case = async (bench) => {
  const systems: { load: string; rig: Rig; pipeline: Contender }[] = [];
  const rigs: Rig[] = [];
  try {
    for (const count of [1, 2]) {
      const load = `${count} of each service`;
      const symbols = benchSymbols(SYMBOLS);
      const rig = await Rig.start({ appendfsync: "everysec" });
      rigs.push(rig);
      await startServices({ rig, symbols, mode: "dry_run", replicas: count });
      const pipeline = await startPipeline({ rig, symbols, drivesIssuers: false, until: "verdict" });
      systems.push({ load, rig, pipeline });
      bench.progress(`replicas: warming ${load} up`);
      // Each process must have run as many plans.
      await warmUp(bench, pipeline, { window: WINDOW, durationMs: WARM_UP_MS * count });
    }
    for (let round = 1; round <= ROUNDS[bench.size]; round++) {
      for (const { load, rig, pipeline } of systems) {
        bench.progress(`replicas: ${load}, round ${round} of ${ROUNDS[bench.size]}`);
        const run = { window: WINDOW, ...spansMs(bench) };
        const { figures, costs } = await withCosts(rig, () => measureThroughput(pipeline, run));
        bench.results.add({ case: "replicas", load, system: "pipeline" }, { ...figures, ...costs });
      }
    }
  } finally {
    for (const { pipeline } of systems) await pipeline.stop();
    for (const rig of rigs) await rig.stop();
  }
};
