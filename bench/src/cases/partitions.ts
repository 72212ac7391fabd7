/**
 * Growth over masters: the same plans, with the same partitions, on a cluster of one master and on one of three. Both run at the same
 * time and are loaded in turn, so that both meet the same machine.
 */
import type { Bench, Case } from "../bench.ts";
import type { Contender } from "../contender.ts";
import { measureThroughput } from "../measure.ts";
import { startPipeline } from "../pipeline.ts";
import { Rig } from "../rig.ts";
import { benchSymbols, startServices } from "../services.ts";
import { PER_SYMBOL, spansMs, warmUp, withCosts } from "./throughput.ts";

/** Two for each of three masters (docs/adr/0039). Many symbols: their partitions are a matter of chance. */
const PARTITIONS = 6;
const SYMBOLS = 192;
const WINDOW = PER_SYMBOL * SYMBOLS;
const WARM_UP_MS = 8_000;
const ROUNDS: Record<Bench["size"], number> = { quick: 2, default: 8, full: 16 };

export const partitions: Case = async (bench) => {
  const systems: { load: string; rig: Rig; pipeline: Contender }[] = [];
  const rigs: Rig[] = [];
  try {
    for (const masters of [1, 3]) {
      const load = `${PARTITIONS} partitions on ${masters} master${masters === 1 ? "" : "s"}`;
      const symbols = benchSymbols(SYMBOLS);
      const rig = await Rig.start({ appendfsync: "everysec", cluster: { masters, partitions: PARTITIONS } });
      rigs.push(rig);
      await startServices({ rig, symbols, mode: "dry_run", partitions: PARTITIONS });
      const pipeline = await startPipeline({
        rig,
        symbols,
        drivesIssuers: false,
        until: "verdict",
        partitions: PARTITIONS,
      });
      systems.push({ load, rig, pipeline });
      bench.progress(`partitions: warming ${load} up`);
      await warmUp(bench, pipeline, { window: WINDOW, durationMs: WARM_UP_MS });
    }
    for (let round = 1; round <= ROUNDS[bench.size]; round++) {
      for (const { load, rig, pipeline } of systems) {
        bench.progress(`partitions: ${load}, round ${round} of ${ROUNDS[bench.size]}`);
        const run = { window: WINDOW, ...spansMs(bench) };
        const { figures, costs } = await withCosts(rig, () => measureThroughput(pipeline, run));
        bench.results.add({ case: "partitions", load, system: "pipeline" }, { ...figures, ...costs });
      }
    }
  } finally {
    for (const { pipeline } of systems) await pipeline.stop();
    for (const rig of rigs) await rig.stop();
  }
};
