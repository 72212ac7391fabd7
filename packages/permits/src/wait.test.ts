import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { PermitEntry } from "@quantum/contract";
import { DeadlineError, disconnect } from "@quantum/redis";
import { patienceMs } from "@quantum/harness";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Consume, Verdict } from "./consume.ts";
import { FAR_MS, GOVERNOR, keys, P33, PLAN, startPlans, SYMBOL } from "./plan.fixture.ts";
import { PermitWait, type WaitOptions } from "./wait.ts";

const STEP_MS = 20;
/** How late a timer may be on a busy machine. */
const BUSY_MS = 500;
/** Longer than any test, so that no test of wake-ups or deadlines can pass because of the poll. */
const NO_POLL_MS = FAR_MS;

let plans: Awaited<ReturnType<typeof startPlans>>;
let waits: PermitWait[];
beforeEach(async () => {
  plans = await startPlans();
  waits = [];
});
afterEach(async () => {
  await Promise.all(waits.map((wait) => wait.stop()));
  await plans.stop();
});

function createWait(options: Partial<WaitOptions> = {}): PermitWait {
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

const verdictOf = async (wait: PermitWait): Promise<Verdict> => {
  const [verdict] = (await once(wait, "verdict")) as [Verdict];
  return verdict;
};

/** Collects verdicts and resolves when there are `count`. */
function verdictsOf(waiting: PermitWait[], count: number) {
  const verdicts: Verdict[] = [];
  const all = Promise.withResolvers<Verdict[]>();
  for (const wait of waiting)
    wait.on("verdict", (verdict) => {
      if (verdicts.push(verdict) === count) all.resolve(verdicts);
    });
  return { verdicts, all: all.promise };
}

/** Calls of every command since the server started, except those that only tests use. */
async function commandsServed(): Promise<Record<string, number>> {
  const stats = await plans.redis.info("commandstats");
  const calls = [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name, n]) => [name, Number(n)]);
  return Object.fromEntries(calls.filter(([name]) => name !== "info" && name !== "ping")) as Record<
    string,
    number
  >;
}

describe("a plan that waits", () => {
  it("ends when a wake-up says that the last permit is there", async () => {
    const wait = createWait();
    await plans.givenPlan(FAR_MS);
    wait.watch(PLAN, SYMBOL, FAR_MS);
    await wait.wake(PLAN, SYMBOL);
    expect(wait.size).toBe(1);
    await plans.givenPermits();
    const verdict = verdictOf(wait);
    await wait.wake(PLAN, SYMBOL);
    expect(await verdict).toMatchObject({ kind: "ok", planId: PLAN });
    expect(wait.size).toBe(0);
  });

  it("is tried at its deadline, and ends there with one verdict", async () => {
    const consume = vi.fn<Consume>(plans.consumer());
    const wait = createWait({ consume });
    const { verdicts } = verdictsOf([wait], 2);
    await plans.givenPlan(60);
    wait.watch(PLAN, SYMBOL, 60);
    wait.watch(PLAN, SYMBOL, FAR_MS); // Watching again moves nothing.
    expect(await verdictOf(wait)).toMatchObject({ kind: "blocked", reason: "missing_both" });
    expect(verdicts[0]?.waitMs).toBeGreaterThanOrEqual(60);
    expect(verdicts[0]?.waitMs).toBeLessThan(60 + patienceMs(BUSY_MS));
    await wait.stop();
    expect(verdicts).toHaveLength(1);
    const kinds = consume.mock.settledResults.map(({ value }) => value.kind);
    // One try is half-way. A timer may fire a millisecond early; then Redis's clock makes the plan wait again.
    expect(kinds.filter((kind) => kind === "verdict")).toHaveLength(1);
    expect(kinds.length).toBeLessThanOrEqual(3);
  });

  it("is over by the monotonic clock, too: a step of Redis's clock does not lengthen it", async () => {
    const wait = createWait();
    await plans.givenPlan(FAR_MS);
    const verdict = verdictOf(wait);
    const startedAt = performance.now();
    // The plan was opened 100 ms ago, and then Redis's clock stepped back, so by that clock the deadline is far away.
    wait.watch(PLAN, SYMBOL, 100);
    expect(await verdict).toMatchObject({ kind: "blocked", reason: "missing_both" });
    expect(performance.now() - startedAt).toBeLessThan(100 + patienceMs(BUSY_MS));
  });

  it("is watched from its first wake-up, when another replica opened it", async () => {
    const wait = createWait();
    await plans.givenPlan(30);
    const verdict = verdictOf(wait);
    await wait.wake(PLAN, SYMBOL);
    expect(await verdict).toMatchObject({ reason: "missing_both" });
  });

  it("is found by the poll when issuers only set keys", async () => {
    const wait = createWait({ stepMs: STEP_MS });
    await plans.givenPlan(FAR_MS);
    wait.watch(PLAN, SYMBOL, FAR_MS);
    const verdict = verdictOf(wait);
    await plans.givenPermits({ p33: P33 });
    await plans.givenPermits({ governor: GOVERNOR });
    expect(await verdict).toMatchObject({ kind: "ok" });
  });

  it("is found by the first poll, however young it is", async () => {
    const wait = createWait({ stepMs: STEP_MS });
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    const now = vi.spyOn(performance, "now").mockReturnValue(0);
    wait.watch(PLAN, SYMBOL, FAR_MS);
    expect(await verdictOf(wait)).toMatchObject({ kind: "ok" });
    now.mockRestore();
  });

  it("is found by the poll when the governor only sets its block key", async () => {
    const wait = createWait({ stepMs: STEP_MS });
    await plans.givenPlan(FAR_MS);
    wait.watch(PLAN, SYMBOL, FAR_MS);
    const verdict = verdictOf(wait);
    await plans.redis.set(keys.block("governor", PLAN), JSON.stringify({ reason: "hourly_limit_exceeded" }));
    expect(await verdict).toMatchObject({
      reason: "governor_permit_denied",
      detail: "hourly_limit_exceeded",
    });
  });

  it("is polled without reading permits, and tried only when a key appears", async () => {
    const consume = vi.fn<Consume>(plans.consumer());
    const wait = createWait({ stepMs: STEP_MS, consume });
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits({ governor: GOVERNOR });
    wait.watch(PLAN, SYMBOL, FAR_MS);
    await vi.waitFor(() => expect(consume).toHaveBeenCalled());
    const polled = (await commandsServed())["exists"] ?? 0;
    await vi.waitFor(async () =>
      expect((await commandsServed())["exists"]).toBeGreaterThanOrEqual(polled + 5),
    );
    expect(consume).toHaveBeenCalledTimes(1);
  });
});

describe("an issuer's wake-up", () => {
  const wakeUp = (
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
  const waiting: Consume = () => Promise.resolve({ kind: "waiting", remainingMs: FAR_MS, lacking: ["p33"] });

  it("leads to no try while others have still to answer, if all of them have woken us lately", async () => {
    const consume = vi.fn<Consume>(waiting);
    const wait = createWait({ consume });
    wait.watch(PLAN, SYMBOL, FAR_MS);
    await wait.answered(wakeUp("governor", 1));
    await wait.answered(wakeUp("p33", 2));
    // P3.3 had never sent a wake-up, so it might have set a key without one.
    expect(consume).toHaveBeenCalledTimes(2);
    await wait.answered(wakeUp("p33", 1));
    await wait.answered(wakeUp("somebody else", 1));
    expect(consume).toHaveBeenCalledTimes(2);
    await wait.answered(wakeUp("governor", 2));
    expect(consume).toHaveBeenCalledTimes(3);
  });

  it("leads to a try of a plan that another replica opened, which is watched from then on", async () => {
    const consume = vi.fn<Consume>(waiting);
    const wait = createWait({ consume });
    wait.watch("0123456789abcdef", SYMBOL, FAR_MS);
    for (const issuer of ["governor", "p33"])
      await wait.answered({ ...wakeUp(issuer, 2), plan_id: "0123456789abcdef" });
    await wait.answered(wakeUp("governor", 1));
    expect(consume).toHaveBeenLastCalledWith(PLAN, SYMBOL, undefined);
    expect(wait.size).toBe(2);
    await wait.answered(wakeUp("p33", 1));
    expect(consume).toHaveBeenCalledTimes(3);
  });

  it("may be lost: the plan is tried half-way", async () => {
    const wait = createWait();
    for (const issuer of ["governor", "p33"]) await wait.answered(wakeUp(issuer, 2));
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    wait.watch(PLAN, SYMBOL, 100);
    expect(await verdictOf(wait)).toMatchObject({ kind: "ok" });
  });

  it("leads to a try if it denies, or nobody counts", async () => {
    const consume = vi.fn<Consume>(waiting);
    const wait = createWait({ consume });
    for (const issuer of ["governor", "p33"]) await wait.answered(wakeUp(issuer, 2));
    await wait.answered(wakeUp("governor", 1, "denied"));
    await wait.answered(wakeUp("governor", ""));
    expect(consume).toHaveBeenCalledTimes(4);
  });

  it("leads to a try again when an issuer has woken nobody for long", async () => {
    const now = vi.spyOn(performance, "now");
    const consume = vi.fn<Consume>(waiting);
    const wait = createWait({ consume });
    const at = (ms: number) => now.mockReturnValue(ms);
    at(0);
    wait.watch(PLAN, SYMBOL, FAR_MS);
    await wait.answered(wakeUp("governor", 2));
    at(9_000);
    await wait.answered(wakeUp("p33", 2));
    await wait.answered(wakeUp("p33", 1));
    expect(consume).toHaveBeenCalledTimes(2);
    at(11_000);
    await wait.answered(wakeUp("p33", 1));
    expect(consume).toHaveBeenCalledTimes(3);
    now.mockRestore();
  });

  it("makes polling for the issuer's keys needless, and only for its own", async () => {
    const wait = createWait({ stepMs: 1, consume: waiting });
    const polls = async () => (await commandsServed())["exists"] ?? 0;
    wait.watch(PLAN, SYMBOL, FAR_MS);
    await wait.answered(wakeUp("governor", 1));
    await vi.waitFor(async () => expect(await polls()).toBeGreaterThan(0));
    await wait.answered(wakeUp("p33", 2));
    await vi.waitFor(async () => {
      const before = await polls();
      // While Redis answers these, far more than one poll would be due.
      for (let i = 0; i < 500; i++) await plans.redis.ping();
      expect(await polls()).toBe(before);
    });
  });
});

describe("nothing that waits", () => {
  it("costs no command and no timer", async () => {
    const timersBefore = activeTimers();
    const wait = createWait({ stepMs: 1 });
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    wait.watch(PLAN, SYMBOL, FAR_MS);
    await verdictOf(wait);
    await vi.waitFor(async () => {
      const before = await commandsServed();
      // While Redis answers these, far more than one poll would be due.
      for (let i = 0; i < 500; i++) await plans.redis.ping();
      expect(await commandsServed()).toEqual(before);
    });
    expect(activeTimers()).toBeLessThanOrEqual(timersBefore);
  });
});

describe("a try that fails", () => {
  it("is said and repeated until Redis answers again", async () => {
    const working = plans.consumer();
    let broken = true;
    const consume: Consume = async (...plan) => {
      if (broken) throw new DeadlineError("no answer");
      return working(...plan);
    };
    const wait = createWait({ consume });
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    const failed = once(wait, "failed");
    void wait.wake(PLAN, SYMBOL);
    expect(await failed).toMatchObject([{ planId: PLAN, error: { message: "no answer" } }]);
    const failedAgain = once(wait, "failed");
    await failedAgain;
    broken = false;
    expect(await verdictOf(wait)).toMatchObject({ kind: "ok" });
  });

  it("loses no plan when the server is killed and comes back empty", async () => {
    const wait = createWait({ stepMs: STEP_MS });
    await plans.givenPlan(FAR_MS);
    wait.watch(PLAN, SYMBOL, FAR_MS);
    await plans.server.kill();
    const failed = once(wait, "failed");
    void wait.wake(PLAN, SYMBOL);
    await failed;
    await plans.server.restart();
    await vi.waitFor(() => expect(wait.size).toBe(0), { timeout: 10_000 });
  });
});

describe("drain", () => {
  it("ends a plan whose last permit comes meanwhile, without a wake-up", async () => {
    const looked = Promise.withResolvers<void>();
    const working = plans.consumer();
    const wait = createWait({
      consume: async (...plan) => {
        const found = await working(...plan);
        looked.resolve();
        return found;
      },
    });
    await plans.givenPlan(FAR_MS);
    wait.watch(PLAN, SYMBOL, FAR_MS);
    const { verdicts } = verdictsOf([wait], 1);
    const drained = wait.drain(FAR_MS);
    await looked.promise;
    await plans.givenPermits();
    await drained;
    expect(verdicts).toMatchObject([{ kind: "ok" }]);
  });

  it("leaves what waits for longer to others", async () => {
    const wait = createWait();
    await plans.givenPlan(FAR_MS);
    wait.watch(PLAN, SYMBOL, FAR_MS);
    await wait.drain(1);
    expect(wait.size).toBe(1);
  });
});

describe("stop", () => {
  it("lets a running try end, and leaves no timer behind", async () => {
    const entered = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const working = plans.consumer();
    const wait = createWait({
      stepMs: STEP_MS,
      consume: async (...plan) => {
        entered.resolve();
        await release.promise;
        return working(...plan);
      },
    });
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    const timersBefore = activeTimers();
    wait.watch(PLAN, SYMBOL, FAR_MS);
    wait.watch("0000000000000000", SYMBOL, FAR_MS);
    expect(activeTimers()).toBeGreaterThan(timersBefore);
    const { verdicts } = verdictsOf([wait], 1);
    void wait.wake(PLAN, SYMBOL);
    await entered.promise;
    const stopped = wait.stop();
    release.resolve();
    await stopped;
    expect(verdicts).toMatchObject([{ kind: "ok" }]);
    expect(activeTimers()).toBeLessThanOrEqual(timersBefore);
    wait.watch(PLAN, SYMBOL, 1);
    await wait.wake(PLAN, SYMBOL);
    expect(wait.size).toBe(0);
    expect(activeTimers()).toBeLessThanOrEqual(timersBefore);
  });
});

describe("many plans at once", () => {
  const MANY = 5_000;

  it("all end, each with one verdict over two replicas that both watch all of them", async () => {
    const stepMs = 100;
    // However late a busy machine handles a plan, its permits were there in time.
    const consume = plans.consumer({ graceMs: FAR_MS });
    const other = plans.connect();
    const replicas = [
      createWait({ stepMs, consume }),
      createWait({ stepMs, redis: other, consume: plans.consumer({ graceMs: FAR_MS, redis: other }) }),
    ];
    const ids = Array.from({ length: MANY }, () => randomBytes(8).toString("hex"));
    const waitMs = 2_000;
    const { all, verdicts } = verdictsOf(replicas, MANY);
    for (const [index, planId] of ids.entries()) {
      const given = plans.givenPlan(waitMs, { planId });
      for (const wait of replicas) wait.watch(planId, SYMBOL, waitMs);
      // Every second plan gets its permits, as from an issuer that only sets keys.
      if (index % 2 === 0) await plans.givenPermits(undefined, planId);
      await given;
    }
    await all;
    await Promise.all(replicas.map((wait) => wait.stop()));
    await disconnect(other);
    expect(new Set(verdicts.map(({ planId }) => planId)).size).toBe(MANY);
    expect(verdicts).toHaveLength(MANY);
    const permitted = verdicts.filter(({ kind }) => kind === "ok").length;
    expect(permitted).toBe(MANY / 2);
    expect(await plans.redis.xlen(keys.streams.execute)).toBe(MANY / 2);
    expect(await plans.redis.xlen(keys.streams.result)).toBe(MANY / 2);
  });
});

function activeTimers(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length;
}
