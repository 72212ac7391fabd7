/**
 * Case 4: how many plans a C client can send through the same Redis with the pipeline's commands. One plan is recorded
 * from the running pipeline (MONITOR). Its commands, scripts and arguments are copied for many plans and sent by
 * `redis-cli --pipe`, which pipelines without limit. Ids assigned by Redis (for plan, proposal and result entries) are
 * only known afterwards, so there are three parts. Stream reads use batches as large as the services' largest ones.
 */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { createKeys, ISSUERS } from "@quantum/contract";
import { findRedisServer } from "@quantum/harness";
import type { Case } from "../bench.ts";
import { monotonicMs } from "../clock.ts";
import { measureThroughput } from "../measure.ts";
import { type Command, isBatch, LimitScript, loadBatches } from "../limit-script.ts";
import { startPipeline } from "../pipeline.ts";
import { Rig } from "../rig.ts";
import { benchSymbols, startServices } from "../services.ts";
import { PER_SYMBOL, spansMs } from "./throughput.ts";

const keys = createKeys();
const SYMBOLS = 64;
const PLANS = 10_000;
const QUICK_PLANS = 2_000;
/** By then, all commands caused by a plan have been sent. */
const SETTLE_MS = 300;
/** How much to show of an output that repeats the same error for every plan. */
const SHOWN = 500;
/** The services' longest: all plans of a replay are opened before the first permit is written. */
const WAIT_MS = 59_000;

export const limit: Case = async (bench) => {
  const symbols = benchSymbols(SYMBOLS);
  const rig = await Rig.start({ appendfsync: "everysec" });
  try {
    await startServices({ rig, symbols, mode: "dry_run", waitMs: WAIT_MS });
    const pipeline = await startPipeline({ rig, symbols, drivesIssuers: false, until: "verdict" });
    const publish = () => measureThroughput(pipeline, { window: 1, warmupMs: 0, durationMs: 1 });
    // After these plans the scripts are loaded and one-time work is done.
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
    await loadBatches(rig.client);
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

/** Plans of which the shortest is taken, because periodic work may be included. */
const RECORDED = 5;

/** What the services and the publisher send for one plan. */
async function recorded(rig: Rig, publish: () => Promise<unknown>): Promise<Command[]> {
  const monitor = await rig.client.monitor();
  const records: Command[][] = [];
  for (let i = 0; i < RECORDED; i++) {
    const commands: Command[] = [];
    const take = (_time: string, args: string[], source: string) => {
      if (source !== "lua") commands.push(args);
    };
    monitor.on("monitor", take);
    await publish();
    await delay(SETTLE_MS);
    monitor.off("monitor", take);
    if (!commands.some(isBatch)) records.push(commands);
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
  // A failed call does not make the EVALSHA fail, but an unsettled result stays unacknowledged.
  for (const group of ISSUERS) {
    // Excludes entries that the services had received when they were killed.
    const left = await rig.client.xpending(result, group, `(${before.result}`, "+", script.plans);
    if (left.length > 0) throw new Error(`the C client left ${left.length} results of ${group} unsettled`);
  }
  return (script.plans * 1000) / tookMs;
}

async function send(rig: Rig, text: string): Promise<number> {
  const { cli = "redis-cli" } = await findRedisServer();
  const { port } = new URL(rig.url);
  const startedAt = monotonicMs();
  const child = execFile(cli, ["-p", port, "--pipe"]);
  let output = "";
  child.stdout?.on("data", (data: string) => (output += data));
  // If it exits early, its output says why.
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(text);
  await once(child, "close");
  const tookMs = monotonicMs() - startedAt;
  if (!output.includes("errors: 0,")) throw new Error(`the C client got errors: ${output.slice(0, SHOWN)}`);
  return tookMs;
}
