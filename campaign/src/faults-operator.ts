/** The operators' exit, thrown among the faults: it is no fault, but it must keep the invariants beside all of them. */
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { endProcess, RUN_OPERATOR, spawnGuarded, urlOfUser } from "@quantum/harness";
import { operatorKeyFile } from "@quantum/topology";
import { ask } from "./exchange-control.ts";
import type { FaultContext, FaultKind } from "./fault-kind.ts";
import { spoilAnswers } from "./faults-exchange.ts";
import { anyMember } from "./faults-process.ts";
import { timeOf } from "./faults-streams.ts";

const ROOT = join(import.meta.dirname, "../..");
/** Interrupted then: what is left is left, as an operator may do it. */
const PATIENCE_MS = 20_000;
/** An exit takes some hundred ms, of which most are the start of the process. */
const STRIKE_AFTER_MS = { low: 200, high: 1_500 } as const;
const FREEZE_MS = 3_000;
const TROUBLES = ["kill", "freeze", "wrong answers", "none"] as const;
type Trouble = (typeof TROUBLES)[number];
const LOOK_MS = 10;

export const OPERATOR_FAULTS: Readonly<Record<string, FaultKind>> = {
  flatten: {
    meaning:
      "an operator flattens a symbol or everything, while a service dies or freezes, or the exchange answers wrongly, or all is well",
    weight: 3,
    run: flatten,
  },
};

const TOLD: Readonly<Record<Trouble, (member: string) => string>> = {
  kill: (member) => `kill of ${member}`,
  freeze: (member) => `freeze of ${member}`,
  "wrong answers": () => "wrong answers",
  none: () => "undisturbed",
};

async function flatten(context: FaultContext) {
  const { system, random } = context;
  const symbol = random.pick(["--all", ...system.symbols]);
  const trouble = random.pick(TROUBLES);
  const member = anyMember(context);
  const afterMs = random.between(STRIKE_AFTER_MS.low, STRIKE_AFTER_MS.high);
  // Otherwise the simulated strategy opens again, in the same moment, what was closed.
  await ask(system.exchangeUrl, "POST", "/sim/strategy", { enabled: false });
  const over = new AbortController();
  const [code] = await Promise.all([
    permitctl(context, symbol).finally(() => over.abort()),
    trouble === "wrong answers" ? spoilAnswers(context) : strike(context, member, trouble, afterMs),
    symbol === "--all" ? watchHalt(context, over.signal) : undefined,
  ]);
  await ask(system.exchangeUrl, "POST", "/sim/strategy", { enabled: true });
  const target = `${symbol}, exit code ${code}, ${TOLD[trouble](member.name)}`;
  return [{ kind: "flatten", target }];
}

/** @returns the exit code */
async function permitctl({ system }: FaultContext, symbol: string): Promise<number | null> {
  const words = ["flatten", symbol, "--yes", "--reason", "chaos"];
  const place = ["--mode", "paper", "--venue", "simulated", "--account", "main"];
  const child = await spawnGuarded(process.execPath, ["scripts/permitctl.mjs", ...words, ...place], {
    cwd: ROOT,
    env: {
      REDIS_URL: urlOfUser(system.servers.url, "operator"),
      PERMITCTL_OPERATOR_KEY: join(system.keysFolder, operatorKeyFile(RUN_OPERATOR)),
    },
  });
  child.stdout.resume();
  child.stderr.resume();
  const timer = setTimeout(() => void endProcess(child, "SIGINT"), PATIENCE_MS);
  const [code] = (await once(child, "close")) as [number | null];
  clearTimeout(timer);
  return code;
}

async function strike(
  { system }: FaultContext,
  member: FaultContext["system"]["members"][number],
  trouble: Trouble,
  afterMs: number,
): Promise<void> {
  await delay(afterMs);
  if (trouble === "kill") await system.killAndRestart(member);
  if (trouble !== "freeze") return;
  member.process.pause();
  await delay(FREEZE_MS);
  member.process.resume();
}

/** Flattening everything turns the kill switch on, and leaves it on: the campaign goes on without it. */
async function watchHalt({ system, halts }: FaultContext, over: AbortSignal): Promise<void> {
  const { client, keys } = system;
  let fromMs: number | undefined;
  while (!over.aborted || fromMs === undefined) {
    const replies = await client.multi().exists(keys.killSwitch).time().exec();
    if (replies?.[0]?.[1] === 1) fromMs ??= timeOf(replies?.[1]);
    else if (over.aborted) return;
    await delay(LOOK_MS);
  }
  const ended = await client.multi().time().del(keys.killSwitch).exec();
  halts.push({ fromMs, toMs: timeOf(ended?.[0]) });
}
