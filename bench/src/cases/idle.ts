/** Case 7: what the pipeline costs while it is idle. */
import { setTimeout as delay } from "node:timers/promises";
import type { Case } from "../bench.ts";
import { Rig } from "../rig.ts";
import { benchSymbols, startServices } from "../services.ts";

const SYMBOLS = 64;
const SETTLE_MS = 2_000;
const IDLE_MS = 30_000;
const QUICK_IDLE_MS = 5_000;

export const idle: Case = async (bench) => {
  const rig = await Rig.start({ appendfsync: "everysec" });
  try {
    await startServices({ rig, symbols: benchSymbols(SYMBOLS), mode: "paper" });
    await delay(SETTLE_MS);
    const ms = bench.size === "quick" ? QUICK_IDLE_MS : IDLE_MS;
    bench.progress(`idle: ${ms / 1000} s of nothing`);
    const [callsBefore, usageBefore] = [await rig.commandCalls(), await rig.usage()];
    await delay(ms);
    const [calls, usage] = [await rig.commandCalls(), await rig.usage()];
    const figures: Record<string, number> = {};
    let commands = 0;
    for (const [name, count] of calls) {
      const perSec = ((count - (callsBefore.get(name) ?? 0)) * 1000) / ms;
      commands += perSec;
      if (perSec > 0) figures[`command ${name}`] = perSec;
    }
    figures["commands"] = commands;
    for (const [name, { cpuSec }] of usage)
      figures[`cpu ${name}, %`] = ((cpuSec - (usageBefore.get(name)?.cpuSec ?? 0)) * 100_000) / ms;
    bench.results.add({ case: "idle", load: "nothing, a second", system: "pipeline" }, figures);
  } finally {
    await rig.stop();
  }
};
