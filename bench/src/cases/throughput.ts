/** Case 3: plans per second, to the verdict and to the settled order, and the cost of each. */
import type { Bench, Case } from "../bench.ts";
import type { Contender } from "../contender.ts";
import { footprintOf } from "../footprint.ts";
import { type Figures, measureThroughput } from "../measure.ts";
import { startFlow } from "../peers/flow.ts";
import { startPollLoop } from "../peers/poll-loop.ts";
import { startPipeline } from "../pipeline.ts";
import { Rig, type RigOptions } from "../rig.ts";
import { benchSymbols, startServices } from "../services.ts";
import { readUsage, since } from "../venue.ts";

const SYMBOLS = 64;
/** A plan closes a quarter of a position, so three of four may be reserved at once. */
export const PER_SYMBOL = 3;
/**
 * Code is slow until it has run often and been compiled: the services need half the CPU per plan after some 15,000 plans
 * that they need for the first 2,000. Until then a run would mostly compare compilers. Fewer orders settle in a second.
 */
const WARM_UP_MS = 8_000;
const WARM_UP_SETTLED_MS = 20_000;
const WARM_UP_QUICK_MS = 2_000;
/** More would not help the poll loop, which handles one plan at a time. */
const POLL_LOOP_WINDOW = 8;

export const throughput: Case = (bench) =>
  toVerdict(bench, { name: "throughput", appendfsync: "everysec", withPollLoop: true });

export async function toVerdict(
  bench: Bench,
  options: RigOptions & { name: string; withPollLoop: boolean },
): Promise<void> {
  const all = benchSymbols(2 * SYMBOLS);
  const [symbols, pollSymbols] = [all.slice(0, SYMBOLS), all.slice(SYMBOLS)];
  const rig = await Rig.start(options);
  const contenders: Contender[] = [];
  try {
    await startServices({ rig, symbols: all, mode: "dry_run" });
    contenders.push(
      ...(await Promise.all([
        startPipeline({ rig, symbols, drivesIssuers: false, until: "verdict" }),
        startFlow(rig),
        ...(options.withPollLoop ? [startPollLoop({ rig, symbols: pollSymbols, drivesIssuers: false })] : []),
      ])),
    );
    for (const contender of contenders.filter(({ name }) => name !== "poll loop")) {
      bench.progress(`${options.name}: warming ${contender.name} up`);
      await warmUp(bench, contender, { window: PER_SYMBOL * SYMBOLS, durationMs: WARM_UP_MS });
    }
    for (let repeat = 1; repeat <= bench.repeats; repeat++) {
      for (const contender of contenders) {
        bench.progress(`${options.name}: ${contender.name}, run ${repeat} of ${bench.repeats}`);
        const window = contender.name === "poll loop" ? POLL_LOOP_WINDOW : PER_SYMBOL * SYMBOLS;
        const { figures, costs } = await withCosts(rig, () =>
          measureThroughput(contender, { window, ...spansMs(bench) }),
        );
        const id = { case: options.name, load: "to the verdict", system: contender.name };
        bench.results.add(id, figures);
        if (options.appendfsync === "everysec") bench.results.add({ ...id, case: "cost of a plan" }, costs);
      }
    }
  } finally {
    for (const contender of contenders) await contender.stop();
    await rig.stop();
  }
}

/** One plan per symbol at a time, because an order changes the position on which the next decision is based. */
export const settled: Case = async (bench) => {
  const symbols = benchSymbols(SYMBOLS);
  const rig = await Rig.start({ appendfsync: "everysec" });
  try {
    const urls = await startServices({ rig, symbols, mode: "paper" });
    const venueUrl = urls.get("exchange-sim");
    const pipeline = await startPipeline({ rig, symbols, drivesIssuers: false, until: "settled" });
    bench.progress("settled: warming pipeline up");
    await warmUp(bench, pipeline, { window: SYMBOLS, durationMs: WARM_UP_SETTLED_MS });
    for (let repeat = 1; repeat <= bench.repeats; repeat++) {
      bench.progress(`settled: pipeline, run ${repeat} of ${bench.repeats}`);
      const { figures, costs } = await withCosts(
        rig,
        () => measureThroughput(pipeline, { window: SYMBOLS, ...spansMs(bench) }),
        venueUrl,
      );
      const id = { load: "to the settled order", system: pipeline.name };
      bench.results.add({ ...id, case: "throughput" }, figures);
      bench.results.add({ ...id, case: "cost of a plan" }, { ...costs, ...(await footprintOf(rig.client)) });
    }
    await pipeline.stop();
  } finally {
    await rig.stop();
  }
};

export async function warmUp(
  { size }: Bench,
  contender: Contender,
  { window, durationMs }: { window: number; durationMs: number },
): Promise<void> {
  const ms = size === "quick" ? WARM_UP_QUICK_MS : durationMs;
  await measureThroughput(contender, { window, warmupMs: 0, durationMs: ms });
}

export function spansMs({ size }: Bench): { warmupMs: number; durationMs: number } {
  return size === "quick" ? { warmupMs: 500, durationMs: 1_500 } : { warmupMs: 800, durationMs: 2_000 };
}

/**
 * @returns the run's figures, and the cost per plan: Redis commands, CPU of every process in µs, bytes written to disk, and, with
 * `venueUrl`, requests and weight at the exchange
 */
export async function withCosts(
  rig: Rig,
  run: () => Promise<Figures>,
  venueUrl?: string,
): Promise<{ figures: Figures; costs: Figures }> {
  const [callsBefore, usageBefore] = [await rig.commandCalls(), await rig.usage()];
  const scriptUsBefore = await rig.scriptUs();
  const diskBefore = await rig.infoNumber("persistence", "aof_current_size");
  const venueBefore = venueUrl === undefined ? undefined : await readUsage(venueUrl);
  const { ended = 0, ...figures } = await run();
  const [calls, usage] = [await rig.commandCalls(), await rig.usage()];
  const costs: Figures = {};
  let commands = 0;
  for (const [name, count] of calls) {
    const perPlan = (count - (callsBefore.get(name) ?? 0)) / ended;
    commands += perPlan;
    costs[`command ${name}`] = perPlan;
  }
  costs["commands"] = commands;
  const written = (await rig.infoNumber("persistence", "aof_current_size")) - diskBefore;
  // A rewrite in between has made the file smaller.
  if (written > 0) costs["append-only file, bytes"] = written / ended;
  costs["cpu redis inside scripts, µs"] = ((await rig.scriptUs()) - scriptUsBefore) / ended;
  for (const [name, { cpuSec }] of usage)
    costs[`cpu ${name}, µs`] = ((cpuSec - (usageBefore.get(name)?.cpuSec ?? 0)) * 1e6) / ended;
  if (venueUrl !== undefined && venueBefore !== undefined) {
    const spent = since(venueBefore, await readUsage(venueUrl));
    for (const [name, amount] of Object.entries(spent)) costs[name] = amount / ended;
  }
  return { figures, costs };
}
