/**
 * If a stream's ids are exhausted, it accepts no entry. Then nothing is spent or ended, and the next try ends the plan.
 */
import { useUpIds } from "@quantum/harness";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { ATTEMPT, FAR_MS, GOVERNOR, keys, P33, PLAN, startPlans, SYMBOL } from "./plan.fixture.ts";

let plans: Awaited<ReturnType<typeof startPlans>>;
beforeAll(async () => void (plans = await startPlans()));
afterAll(() => plans.stop());
beforeEach(() => plans.redis.flushall());

const { execute, result } = keys.streams;
const CASES = [
  { verdict: "ok", mode: "paper", governor: GOVERNOR, stream: execute, state: "PERMITTED" },
  { verdict: "ok", mode: "dry_run", governor: GOVERNOR, stream: result, state: "DRY_RUN" },
  { verdict: "blocked", mode: "paper", governor: "not JSON", stream: result, state: "BLOCKED" },
];

it.each(CASES)(
  "a plan in $mode that would be $state waits with its permits unspent",
  async ({ verdict, mode, governor, stream, state }) => {
    const { redis } = plans;
    await plans.givenPlan(FAR_MS, { mode });
    await plans.givenPermits({ governor, p33: P33 });
    await useUpIds(redis, stream);
    const consume = plans.consumer();
    for (let tries = 0; tries < 2; tries += 1) {
      await expect(consume(PLAN, SYMBOL)).rejects.toThrow("stream has exhausted the last possible ID");
    }
    expect(await redis.hmget(keys.plan(PLAN), "state", "attempt")).toEqual(["WAITING", ATTEMPT]);
    expect(await plans.permitsLeft()).toBe(2);
    expect(await redis.exists(keys.spent(PLAN), keys.handedOver)).toBe(0);

    await redis.del(stream);
    expect(await consume(PLAN, SYMBOL)).toMatchObject({ kind: "verdict", verdict: { kind: verdict } });
    expect(await redis.hget(keys.plan(PLAN), "state")).toBe(state);
    expect([await redis.xlen(stream), await plans.permitsLeft()]).toEqual([1, 0]);
  },
);
