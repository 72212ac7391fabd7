/** Waits on a private Redis, for the tests of {@link PermitWait}. They stop when their test ends. */
import { once } from "node:events";
import type { PermitEntry } from "@quantum/contract";
import { afterEach, beforeEach } from "vitest";
import type { Consume, Verdict } from "./consume.ts";
import { FAR_MS, keys, PLAN, startPlans, SYMBOL } from "./plan.fixture.ts";
import { PermitWait, type WaitOptions } from "./wait.ts";

/** Short, for tests of the poll. */
export const STEP_MS = 20;
/** Longer than any test, so that no test of wake-ups or deadlines can pass because of the poll. */
const NO_POLL_MS = FAR_MS;

export let plans: Awaited<ReturnType<typeof startPlans>>;
let waits: PermitWait[];
beforeEach(async () => {
  plans = await startPlans();
  waits = [];
});
afterEach(async () => {
  await Promise.all(waits.map((wait) => wait.stop()));
  await plans.stop();
});

export function createWait(options: Partial<WaitOptions> = {}): PermitWait {
  const { redis } = plans;
  const required = ["governor", "p33"];
  const wait = new PermitWait({
    redis,
    keys,
    required,
    consume: plans.consumer(),
    stepMs: NO_POLL_MS,
    ...options,
  });
  waits.push(wait);
  return wait;
}

export const verdictOf = async (wait: PermitWait): Promise<Verdict> => {
  const [verdict] = (await once(wait, "verdict")) as [Verdict];
  return verdict;
};

/** Collects verdicts and resolves when there are `count`. */
export function verdictsOf(waiting: PermitWait[], count: number) {
  const verdicts: Verdict[] = [];
  const all = Promise.withResolvers<Verdict[]>();
  for (const wait of waiting)
    wait.on("verdict", (verdict) => {
      if (verdicts.push(verdict) === count) all.resolve(verdicts);
    });
  return { verdicts, all: all.promise };
}

/** Calls of every command since the server started, except those that only tests use. */
export async function commandsServed(): Promise<Record<string, number>> {
  const stats = await plans.redis.info("commandstats");
  const calls = [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name, n]) => [name, Number(n)]);
  return Object.fromEntries(calls.filter(([name]) => name !== "info" && name !== "ping")) as Record<
    string,
    number
  >;
}

/** An issuer's wake-up for the plan. */
export const wakeUp = (
  issuer: string,
  answers: number | "",
  verdict: PermitEntry["verdict"] = "granted",
): PermitEntry => ({
  plan_id: PLAN,
  symbol: SYMBOL,
  issuer,
  verdict,
  reason: "",
  issued_at_ms: 0,
  attempt: "1-1",
  answers,
});

/** Reports that the plan must wait. */
export const waiting: Consume = () =>
  Promise.resolve({ kind: "waiting", remainingMs: FAR_MS, lacking: ["p33"] });

export function activeTimers(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length;
}
