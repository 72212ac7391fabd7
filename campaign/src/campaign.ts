/** Throws faults, one at a time, and times how long the pipeline needs after each until it works as before. */
import { setTimeout as delay } from "node:timers/promises";
import type { RandomChoices } from "./random-choices.ts";
import type { FaultContext, Hit } from "./fault-kind.ts";
import { FAULTS } from "./faults.ts";

export interface ThrownFault extends Hit {
  /** When it began, had ended and was recovered from, by performance.now(). */
  fromMs: number;
  toMs: number;
  recoveredMs: number;
  /** What came last in the recovery. */
  waitedFor: string;
}

/** A pipeline that needs longer than this has not recovered; what is still stuck then is shown. */
const RECOVERY_BOUND_MS = 60_000;
/** Between recovery and the next fault: plans that no fault touches. */
const CALM_MS = { low: 100, high: 1_000 } as const;
const LOOK_MS = 20;

export interface CampaignOptions {
  context: FaultContext;
  /** Throws the schedule; what the load does is chosen by other random, so that it does not change the schedule. */
  random: RandomChoices;
  kinds: readonly string[];
  untilMs: number;
  /** True ends it early. */
  isDone: () => boolean;
  onFault: (faults: readonly ThrownFault[]) => void;
}

/** @returns why it ended early, if the pipeline did not recover */
export async function throwFaults(options: CampaignOptions): Promise<string | undefined> {
  const { context, random, kinds, untilMs, isDone, onFault } = options;
  const chosen = kinds.flatMap((name) => FAULTS[name] ?? []);
  // Before the first fault, everything works.
  await recovery(context, performance.now());
  while (performance.now() < untilMs && !isDone()) {
    await delay(random.between(CALM_MS.low, CALM_MS.high));
    const fromMs = performance.now();
    const hits = await random.weighted(chosen, ({ weight }) => weight).run(context);
    const toMs = performance.now();
    const { recovered, waitedFor } = await recovery(context, toMs);
    const recoveredMs = performance.now();
    onFault(hits.map((hit) => ({ ...hit, fromMs, toMs, recoveredMs, waitedFor })));
    if (!recovered) {
      const after = hits.map(({ kind, target }) => `${kind} (${target})`).join(", ");
      return `not recovered ${RECOVERY_BOUND_MS / 1000} s after ${after}: ${waitedFor}`;
    }
  }
  return undefined;
}

/**
 * Waits until every service is up, every plan proposed before `toMs` has ended, and of each symbol one that was proposed
 * later has been executed, or the bound is reached.
 */
async function recovery(
  { system, proposer }: FaultContext,
  toMs: number,
): Promise<{ recovered: boolean; waitedFor: string }> {
  const deadline = toMs + RECOVERY_BOUND_MS;
  let waitedFor = "";
  for (;;) {
    const down = system.members.filter(({ up }) => !up).map(({ name }) => name);
    const open: string[] = [];
    const executed = new Set<string>();
    const latest = new Map<string, string>();
    for (const [id, plan] of proposer.since(toMs - RECOVERY_BOUND_MS)) {
      if (plan.atMs <= toMs && plan.endedAtMs === undefined) open.push(id);
      if (plan.atMs > toMs && plan.outcome === "EXECUTED") executed.add(plan.symbol);
      if (plan.outcome !== undefined && !latest.has(plan.symbol))
        latest.set(plan.symbol, `${plan.outcome} ${plan.reason ?? ""}`.trim());
    }
    const waiting = system.symbols.filter((symbol) => !executed.has(symbol));
    const missing = [
      ...down.map((name) => `${name} is down`),
      ...(open.length > 0 ? [`plans have not ended: ${open.slice(0, SHOWN).join(" ")}`] : []),
      ...waiting.map(
        (symbol) => `${symbol}: nothing is executed, the last one ${latest.get(symbol) ?? "open"}`,
      ),
    ];
    if (missing.length === 0) return { recovered: true, waitedFor };
    waitedFor = missing.join("; ");
    if (performance.now() > deadline) return { recovered: false, waitedFor };
    await delay(LOOK_MS);
  }
}

const SHOWN = 5;
