/**
 * A third issuer like the one in a later Python commit (P2.6): it writes the bare text `1` before the plan is
 * published.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FAR_MS, GOVERNOR, keys, P33, PLAN, startPlans, SYMBOL } from "./plan.fixture.ts";

const P26 = keys.permit("p26", PLAN);

let plans: Awaited<ReturnType<typeof startPlans>>;
beforeAll(async () => void (plans = await startPlans()));
afterAll(() => plans.stop());
beforeEach(async () => {
  await plans.redis.flushall();
  await plans.givenPlan(FAR_MS);
  await plans.givenPermits({ governor: GOVERNOR, p33: P33 });
});

const required = ["governor", "p33", "p26"];
const consume = (bare = ["p26"]) => plans.consumer({ required, bare })(PLAN, SYMBOL);

describe("a bare permit", () => {
  it("is a yes without quantity and cap, is spent, and is shown as such", async () => {
    await plans.redis.setex(P26, 60, "1");
    expect(await consume()).toMatchObject({ verdict: { kind: "ok", safeQty: "0.008" } });
    expect(await plans.redis.exists(P26)).toBe(0);
    expect(await plans.executes()).toMatchObject([{ max_qty: "", safe_qty: "0.008" }]);
    expect(await plans.redis.hgetall(keys.plan(PLAN))).toMatchObject({
      p26_verdict: "granted",
      p26_reason: "bare_permit",
    });
    expect(await consume()).toMatchObject({ replayed: true, verdict: { kind: "ok" } });
    expect(await plans.executes()).toHaveLength(1);
  });

  it("is waited for like any other", async () => {
    expect(await consume()).toMatchObject({ kind: "waiting", lacking: ["p26"] });
  });

  it.each(["", "0", "true", "1.0", " 1", "1\n", '{"allow": true, "symbol": "BTCUSDT"}'])(
    "is nothing but the text 1: %j blocks",
    async (text) => {
      await plans.redis.set(P26, text);
      expect(await consume()).toMatchObject({ verdict: { reason: "invalid_p26_permit_format" } });
      expect(await plans.executes()).toEqual([]);
    },
  );

  it("blocks where it is a key of the wrong type", async () => {
    await plans.redis.hset(P26, "1", "1");
    expect(await consume()).toMatchObject({ verdict: { reason: "invalid_p26_permit_format" } });
  });

  it("is no permit of an issuer that is not named so", async () => {
    await plans.redis.set(P26, "1");
    expect(await consume([])).toMatchObject({ verdict: { reason: "invalid_p26_permit_format" } });
  });

  it("does not outweigh a block of its issuer", async () => {
    await plans.redis.set(P26, "1");
    await plans.redis.set(keys.block("p26", PLAN), '{"reason": "exposure"}');
    expect(await consume()).toMatchObject({ verdict: { reason: "p26_permit_denied", detail: "exposure" } });
  });
});
