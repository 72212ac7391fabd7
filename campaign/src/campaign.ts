/** Injects faults one at a time, and measures how long the pipeline needs to recover from each. */
import { setTimeout as delay } from "node:timers/promises";
import type { RandomChoices } from "./random-choices.ts";
import type { FaultContext, Hit } from "./fault-kind.ts";
import { FAULTS } from "./faults.ts";

export interface ThrownFault extends Hit {
  /** When the fault began, when it ended, and when the pipeline had recovered, by performance.now(). */
  fromMs: number;
  toMs: number;
  recoveredMs: number;
  /** The last thing that the recovery waited for. */
  waitedFor: string;
}

/** A pipeline that needs longer has not recovered; the result says what is still missing. */
const RECOVERY_BOUND_MS = 60_000;
/** Time between recovery and the next fault, so that some plans see no fault. */
const CALM_MS = { low: 100, high: 1_000 } as const;
const LOOK_MS = 20;

export interface CampaignOptions {
  context: FaultContext;
  /** Chooses the schedule of faults. The load has its own random choices, so that it does not change the schedule. */
  random: RandomChoices;
  kinds: readonly string[];
  untilMs: number;
  /** Ends the campaign early when it returns true. */
  isDone: () => boolean;
  onFault: (faults: readonly ThrownFault[]) => void;
}

/** @returns why it ended early, if the pipeline did not recover */
export async function throwFaults(options: CampaignOptions): Promise<string | undefined> {
  const { context, random, kinds, untilMs, isDone, onFault } = options;
  const chosen = kinds.flatMap((name) => FAULTS[name] ?? []);
  // Start with a working pipeline.
  await recovery(context, performance.now());
  while (performance.now() < untilMs && !isDone()) {
    await delay(random.between(CALM_MS.low, CALM_MS.high));
    const fromMs = performance.now();
    const hits = await random
      .weighted(chosen, ({ weight }) => weight)
      .run(context)
      .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
    if (hits instanceof Error) return `a fault was not carried through: ${hits.message}`;
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
 * Waits until every service is up, every plan proposed before `toMs` has ended, and each symbol has executed a plan
 * proposed after it; at most {@link RECOVERY_BOUND_MS}.
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
        (symbol) => `${symbol}: nothing is executed, its last plan: ${latest.get(symbol) ?? "open"}`,
      ),
    ];
    if (missing.length === 0) return { recovered: true, waitedFor };
    waitedFor = missing.join("; ");
    if (performance.now() > deadline) return { recovered: false, waitedFor };
    await delay(LOOK_MS);
  }
}

const SHOWN = 5;
