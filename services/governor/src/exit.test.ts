/** What an operator's exit is to an issuer: nothing that it permits, charges, releases or disarms for. */
import { describe, expect, it } from "vitest";
import {
  blockOf,
  bookedOf,
  burstOf,
  governorWith,
  keys,
  NOTHING,
  ORDER,
  pendingEntries,
  permitOf,
  publishPlan,
  publishResult,
  redis,
  sums,
  useRedis,
} from "./governor.fixture.ts";

useRedis();

const EXECUTED = { ...ORDER, outcome: "EXECUTED", executed_qty: "0.003", avg_price: "100000" };
const REFUSED = { outcome: "REJECTED", reason: "rejected_for_account", error: "rejected_for_account" };

describe.each(["operator", "drill", "one of a later version"])("a plan of the class %s", (exitClass) => {
  it("is acknowledged and not answered", async () => {
    const plan = await publishPlan({ class: exitClass });
    expect(await governorWith().governor.answerPlan(plan)).toEqual({ kind: "ack" });
    expect([await permitOf(plan), await blockOf(plan)]).toEqual([null, null]);
    expect(await redis.xlen(keys.streams.permit)).toBe(0);
    expect(await sums()).toEqual(NOTHING);
  });
});

describe("a result of an operator's exit", () => {
  it("is charged to no limit and releases no reservation of another plan", async () => {
    const { governor } = governorWith();
    const other = await publishPlan();
    await governor.answerPlan(other);
    const before = await sums();
    const exit = await publishPlan({ class: "operator" });
    for (const attempt of [exit.id, other.id]) {
      const result = await publishResult(exit, { ...EXECUTED, class: "operator", attempt });
      expect(await governor.settleResult(result)).toEqual({ kind: "ack" });
    }
    expect(await sums()).toEqual(before);
    expect(await bookedOf(exit)).toBeNull();
  });

  it("is left for the runtime to acknowledge, like any other that says nothing to an issuer", async () => {
    const exit = await publishPlan({ class: "operator" });
    await governorWith().governor.settleResult(await publishResult(exit, { ...EXECUTED, class: "operator" }));
    expect(await pendingEntries(keys.streams.result)).toBe(1);
  });

  it("counts for no burst", async () => {
    const { governor, disarms } = governorWith(burstOf(1));
    for (let exits = 0; exits < 3; exits++) {
      const exit = await publishPlan({ class: "operator" });
      await governor.settleResult(await publishResult(exit, { ...EXECUTED, class: "operator" }));
    }
    const plan = await publishPlan();
    await governor.answerPlan(plan);
    expect(await permitOf(plan)).toContain('"granted": true');
    expect(disarms).toEqual([]);
  });

  it("that was refused disarms nothing and holds no symbol", async () => {
    const { governor, disarms } = governorWith({ disarmOn: { burstBreach: true, errors: 1 } });
    for (let exits = 0; exits < 3; exits++) {
      const exit = await publishPlan({ class: "operator" });
      await governor.settleResult(await publishResult(exit, { ...REFUSED, class: "operator" }));
    }
    expect(disarms).toEqual([]);
    expect(await redis.exists(keys.disarm)).toBe(0);
    const plan = await publishPlan();
    await governor.answerPlan(plan);
    expect(await permitOf(plan)).toContain('"granted": true');
  });
});
