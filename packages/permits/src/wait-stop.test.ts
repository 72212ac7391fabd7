import { randomBytes } from "node:crypto";
import { disconnect } from "@quantum/redis";
import { describe, expect, it } from "vitest";
import { FAR_MS, keys, PLAN, SYMBOL } from "./plan.fixture.ts";
import { activeTimers, createWait, plans, STEP_MS, verdictsOf } from "./wait.fixture.ts";

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
