/** Cases 1 and 2: how long a plan waits after its last permit (wake) and in total (wait), compared with the peers. */
import type { Bench, Case } from "../bench.ts";
import type { Contender } from "../contender.ts";
import { type LatencyRun, measureLatency, measureThroughput } from "../measure.ts";
import { startFlow } from "../peers/flow.ts";
import { startPollLoop } from "../peers/poll-loop.ts";
import { startPipeline } from "../pipeline.ts";
import { Rig, type RigOptions } from "../rig.ts";
import { benchSymbols, startApplyLayer, startServices } from "../services.ts";

const SYMBOLS = 64;
const RATES_PER_SEC = [100, 1_000, 5_000];
const QUICK_RATES_PER_SEC = [100, 1_000];
/** The poll loop ends about ten plans a second, so it can keep this rate. */
const LOW_RATE_PER_SEC = 5;
/** Code is slow until it has run and been compiled. */
const WARM_UP = { window: 32, warmupMs: 0, durationMs: 2_000 };
/** A contender that ends less than this share of a rate skips the higher rates. */
const KEPT_SHARE = 0.9;

export const wake: Case = (bench) => latency(bench, { name: "wake", from: "wake", appendfsync: "everysec" });
export const wait: Case = (bench) => latency(bench, { name: "wait", from: "wait", appendfsync: "everysec" });

interface Options extends RigOptions, Pick<LatencyRun, "from"> {
  name: string;
  ratesPerSec?: readonly number[];
  /** Default true. */
  withPollLoop?: boolean;
}

export async function latency(bench: Bench, options: Options): Promise<void> {
  const { name, from, appendfsync } = options;
  // The poll loop uses its own symbols, because P3.3's reservations for one system must not delay the other.
  const all = benchSymbols(2 * SYMBOLS);
  const [symbols, pollSymbols] = [all.slice(0, SYMBOLS), all.slice(SYMBOLS)];
  const rig = await Rig.start({ appendfsync });
  const contenders: Contender[] = [];
  try {
    const drivesIssuers = from === "wake";
    if (drivesIssuers) await startApplyLayer({ rig, symbols: all });
    else await startServices({ rig, symbols: all, mode: "dry_run" });
    contenders.push(
      ...(await Promise.all([
        startPipeline({ rig, symbols, drivesIssuers, until: "verdict" }),
        startFlow(rig),
        ...(options.withPollLoop === false
          ? []
          : [startPollLoop({ rig, symbols: pollSymbols, drivesIssuers })]),
      ])),
    );
    for (const contender of contenders) {
      bench.progress(`${name}: warming ${contender.name} up`);
      await measureThroughput(contender, { ...WARM_UP, releases: drivesIssuers });
    }
    const drowned = new Set<Contender>();
    const rates =
      options.ratesPerSec ??
      [
        from === "wait" ? LOW_RATE_PER_SEC : [],
        bench.size === "quick" ? QUICK_RATES_PER_SEC : RATES_PER_SEC,
      ].flat();
    for (const ratePerSec of rates) {
      const running = contenders.filter(
        (contender) =>
          !drowned.has(contender) && !(ratePerSec === LOW_RATE_PER_SEC && contender.name === "flow"),
      );
      const load = `${ratePerSec.toLocaleString("en")} plans/s`;
      for (let repeat = 1; repeat <= bench.repeats; repeat++) {
        for (const contender of running) {
          bench.progress(
            `${name}: ${contender.name}, ${ratePerSec} plans/s, run ${repeat} of ${bench.repeats}`,
          );
          const figures = await measureLatency(contender, {
            from,
            ratePerSec,
            ...spansMs(bench, ratePerSec),
          });
          bench.results.add({ case: name, load, system: contender.name }, figures);
        }
      }
      for (const contender of running) {
        const ended = bench.results.median({ case: name, load, system: contender.name }, "okPerSec");
        if (ended < KEPT_SHARE * ratePerSec) drowned.add(contender);
      }
    }
  } finally {
    for (const contender of contenders) await contender.stop();
    await rig.stop();
  }
}

function spansMs({ size }: Bench, ratePerSec: number): { warmupMs: number; durationMs: number } {
  if (ratePerSec === LOW_RATE_PER_SEC) return { warmupMs: 0, durationMs: size === "quick" ? 1_000 : 2_000 };
  return size === "quick" ? { warmupMs: 300, durationMs: 1_000 } : { warmupMs: 300, durationMs: 1_200 };
}
