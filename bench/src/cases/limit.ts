/**
 * Case 4: what a C client gets through on the same Redis with what the pipeline sends for a plan. One plan is recorded
 * from the running pipeline (MONITOR); its commands, scripts and arguments as they are, are written down for many plans
 * and sent by `redis-cli --pipe`, which pipelines without bound. Ids that Redis gives (of the plan's, proposal's and
 * result's entries) are only known after they were given, so it is sent in three parts. Reads of streams are sent in
 * batches as the services' largest ones.
 */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { createKeys, ISSUERS } from "@quantum/contract";
import type { Case } from "../bench.ts";
import { monotonicMs } from "../clock.ts";
import { measureThroughput } from "../measure.ts";
import { type Command, LimitScript } from "../limit-script.ts";
import { startPipeline } from "../pipeline.ts";
import { Rig } from "../rig.ts";
import { benchSymbols, startServices } from "../services.ts";
import { PER_SYMBOL, spansMs } from "./throughput.ts";

const keys = createKeys();
const SYMBOLS = 64;
const PLANS = 10_000;
const QUICK_PLANS = 2_000;
/** Everything that a plan causes has been sent by then. */
const SETTLE_MS = 300;
/** Of an output that repeats the same error for every plan. */
const SHOWN = 500;

export const limit: Case = async (bench) => {
  const symbols = benchSymbols(SYMBOLS);
  const rig = await Rig.start({ appendfsync: "everysec" });
  try {
    await startServices({ rig, symbols, mode: "dry_run" });
    const pipeline = await startPipeline({ rig, symbols, drivesIssuers: false, until: "verdict" });
    const publish = () => measureThroughput(pipeline, { window: 1, warmupMs: 0, durationMs: 1 });
    // The scripts are loaded, and whatever is done once has been done.
    for (let i = 0; i < SYMBOLS; i++) await publish();
    const script = new LimitScript(
      await recorded(rig, publish),
      bench.size === "quick" ? QUICK_PLANS : PLANS,
    );

    for (let repeat = 1; repeat <= bench.repeats; repeat++) {
      bench.progress(`limit: the pipeline, run ${repeat} of ${bench.repeats}`);
      const run = { window: PER_SYMBOL * SYMBOLS, ...spansMs(bench) };
      const { plansPerSec = Number.NaN } = await measureThroughput(pipeline, run);
      bench.results.add({ case: "share of the limit", load: "plans/s", system: "pipeline" }, { plansPerSec });
    }
    await pipeline.stop();
    await rig.stopPrograms();
    for (let repeat = 1; repeat <= bench.repeats; repeat++) {
      bench.progress(`limit: the C client, run ${repeat} of ${bench.repeats}`);
      const plansPerSec = await replay(rig, script);
      bench.results.add(
        { case: "share of the limit", load: "plans/s", system: "C client" },
        { plansPerSec, "commands of its own": script.commandsPerPlan },
      );
    }
  } finally {
    await rig.stop();
  }
};

/** What the services and the publisher send for one plan; the shortest of three, since periodic work may fall into it. */
async function recorded(rig: Rig, publish: () => Promise<unknown>): Promise<Command[]> {
  const monitor = await rig.client.monitor();
  const records: Command[][] = [];
  for (let i = 0; i < 3; i++) {
    const commands: Command[] = [];
    const take = (_time: string, args: string[], source: string) => {
      if (source !== "lua") commands.push(args);
    };
    monitor.on("monitor", take);
    await publish();
    await delay(SETTLE_MS);
    monitor.off("monitor", take);
    records.push(commands);
  }
  monitor.disconnect();
  const [shortest] = records.toSorted((a, b) => a.length - b.length);
  if (shortest === undefined) throw new Error("nothing was recorded");
  return shortest;
}

/** @returns plans/s over all parts */
async function replay(rig: Rig, script: LimitScript): Promise<number> {
  const last = async (stream: string) =>
    (await rig.client.xrevrange(stream, "+", "-", "COUNT", 1))[0]?.[0] ?? "0-0";
  const since = async (stream: string, id: string) =>
    (await rig.client.xrange(stream, `(${id}`, "+")).map(([entry]) => entry);
  const { proposal, plan, result } = keys.streams;
  const before = { proposal: await last(proposal), plan: await last(plan), result: await last(result) };
  let tookMs = await send(rig, script.opening());
  const opened = {
    proposals: await since(proposal, before.proposal),
    attempts: await since(plan, before.plan),
  };
  tookMs += await send(rig, await script.permitting(rig.client, opened));
  const results = await since(result, before.result);
  if (results.length !== script.plans)
    throw new Error(
      `the C client ended ${results.length} plans of ${script.plans}: it does not do what the services do`,
    );
  tookMs += await send(rig, script.settling(results));
  // An error of one call is no error of the EVALSHA; but what was not settled was not acknowledged.
  for (const group of ISSUERS) {
    // Not what the services, killed under load, had been given before.
    const left = await rig.client.xpending(result, group, `(${before.result}`, "+", script.plans);
    if (left.length > 0) throw new Error(`the C client left ${left.length} results of ${group} unsettled`);
  }
  return (script.plans * 1000) / tookMs;
}

async function send(rig: Rig, text: string): Promise<number> {
  const { binary, port } = rig.redis;
  const startedAt = monotonicMs();
  const child = execFile(binary.cli ?? "redis-cli", ["-p", String(port), "--pipe"]);
  let output = "";
  child.stdout?.on("data", (data: string) => (output += data));
  // If it ends before it has taken everything, its output says why.
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(text);
  await once(child, "close");
  const tookMs = monotonicMs() - startedAt;
  if (!output.includes("errors: 0,")) throw new Error(`the C client got errors: ${output.slice(0, SHOWN)}`);
  return tookMs;
}
