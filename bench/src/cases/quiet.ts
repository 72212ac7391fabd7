/**
 * What a plan waits that comes after a pause, compared with plans that follow one another, in turn. A round trip of its own at the
 * same rates shows what the machine's own idleness costs: a plan's wait contains about five.
 */
import type { Bench, Case } from "../bench.ts";
import { monotonicMs } from "../clock.ts";
import type { Contender } from "../contender.ts";
import { measureLatency } from "../measure.ts";
import { startPipeline } from "../pipeline.ts";
import { Rig } from "../rig.ts";
import { benchSymbols, startServices } from "../services.ts";
import { PER_SYMBOL, warmUp } from "./throughput.ts";

const SYMBOLS = 64;
const WARM_UP_MS = 8_000;
/** As many plans at each rate as its median needs in one round. */
const LOADS = [
  { ratePerSec: 5, durationMs: 3_000 },
  { ratePerSec: 100, durationMs: 600 },
] as const;
const ROUNDS: Record<Bench["size"], number> = { quick: 2, default: 10, full: 20 };

export const quiet: Case = async (bench) => {
  const symbols = benchSymbols(SYMBOLS);
  const rig = await Rig.start({ appendfsync: "everysec" });
  try {
    await startServices({ rig, symbols, mode: "dry_run" });
    const pipeline = await startPipeline({ rig, symbols, drivesIssuers: false, until: "verdict" });
    bench.progress("quiet: warming pipeline up");
    await warmUp(bench, pipeline, { window: PER_SYMBOL * SYMBOLS, durationMs: WARM_UP_MS });
    const contenders = [pipeline, roundTrip(rig)];
    for (let round = 1; round <= ROUNDS[bench.size]; round++) {
      bench.progress(`quiet: round ${round} of ${ROUNDS[bench.size]}`);
      for (const { ratePerSec, durationMs } of LOADS) {
        for (const contender of contenders) {
          const run = { from: "wait", ratePerSec, warmupMs: 0, durationMs } as const;
          const id = { case: "quiet", load: `${ratePerSec} plans/s`, system: contender.name };
          bench.results.add(id, await measureLatency(contender, run));
        }
      }
    }
    await pipeline.stop();
  } finally {
    await rig.stop();
  }
};

function roundTrip(rig: Rig): Contender {
  const contender: Contender = {
    name: "round trip",
    publish: (index) => void rig.client.ping().then(() => contender.onVerdict(index, true, monotonicMs())),
    release: () => undefined,
    onVerdict: () => undefined,
    clear: async () => {},
    stop: async () => {},
  };
  return contender;
}
