/** The effect of the Python apply-layer's results on the limits. Source: docs/wire.md, "Beside the Python services". */
import { addedAtMs, type Entry } from "@quantum/streams";
import * as fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import {
  blockOf,
  bookedOf,
  burstOf,
  DRY_RUN,
  governorWith,
  keys,
  NOTHING,
  ORDER,
  permitOf,
  planIdOf,
  publishPlan,
  publishResult,
  redis,
  reset,
  stepsOf,
  sums,
  UPDATE_SL,
  useRedis,
} from "./governor.fixture.ts";

const BURST = 2;
const NOT_IMPLEMENTED = {
  executed: "True",
  steps_results: '[{"step": "UPDATE_SL", "status": "not_implemented"}]',
};
const FAILED = { executed: "True", steps_results: stepsOf("error") };
/** How a plan ends without an order, in Python's words. */
const WITHOUT_ORDER: Readonly<Record<string, Record<string, string>>> = {
  "a dry run": DRY_RUN,
  "a block": { decision: "BLOCKED", error: "permit_timeout_or_missing:missing_p33" },
  "a skip": { decision: "SKIP", error: "no_position", steps_results: stepsOf("no_position") },
  "a failure before the order": { decision: "ERROR", error: "Binance testnet ping failed" },
  "steps that do nothing": NOT_IMPLEMENTED,
};

let running: ReturnType<typeof governorWith>;
const answer = (plan: Entry) => running.governor.answerPlan(plan);
const settle = (result: Entry) => running.governor.settleResult(result);

useRedis();
beforeEach(() => void (running = governorWith(burstOf(BURST))));

describe("results without an order", () => {
  const table = Object.entries(WITHOUT_ORDER);

  it.each(table)("that come before the answer leave nothing to answer: %s", async (_, fields) => {
    for (let n = 0; n < 3 * BURST; n++) {
      const plan = await publishPlan();
      await settle(await publishResult(plan, fields));
      await answer(plan);
      expect([await permitOf(plan), await blockOf(plan)]).toEqual([null, null]);
    }
    expect(await sums()).toEqual(NOTHING);
    expect(running.disarms).toEqual([]);
  });

  it.each(table)("that come after the answer release it at once: %s", async (_, fields) => {
    for (let n = 0; n < 3 * BURST; n++) {
      const plan = await publishPlan();
      await answer(plan);
      expect(await sums()).toEqual({ charged: "0", reserved: "300000", open: 1, executions: 1 });
      await settle(await publishResult(plan, fields));
      expect(await sums()).toEqual(NOTHING);
    }
    expect(running.disarms).toEqual([]);
  });

  it("that come after more answers than the burst limit allows: the rest is denied, and nothing disarms", async () => {
    const plans = [await publishPlan(), await publishPlan(), await publishPlan(), await publishPlan()];
    for (const plan of plans) await answer(plan);
    expect(await Promise.all(plans.map(async (plan) => (await blockOf(plan))?.reason))).toEqual(
      // A denial is not a breach, because no order has been placed.
      [undefined, undefined, "burst_limit_exceeded", "burst_limit_exceeded"],
    );
    for (const plan of plans) await settle(await publishResult(plan, DRY_RUN));
    expect(await sums()).toEqual(NOTHING);
    expect(running.disarms).toEqual([]);
  });
});

it("only orders disarm and only they stay counted, in whatever order answers and results come", async () => {
  const ends = [...Object.values(WITHOUT_ORDER), ORDER, ORDER, FAILED];
  const isOrder = (end: Record<string, string>) => end === ORDER || end === FAILED;
  // How each plan ends, and when it is answered and settled: events run in the order of these numbers.
  const plan = fc.record({ end: fc.constantFrom(...ends), answered: fc.nat(), settled: fc.nat() });
  await fc.assert(
    fc.asyncProperty(fc.array(plan, { maxLength: 7 }), async (plans) => {
      await reset();
      const { governor, disarms } = governorWith({
        ...burstOf(BURST),
        disarmOn: { burstBreach: true, errors: Infinity },
      });
      let orders = 0;
      let isDisarmed = false;
      const events: { at: number; happens: () => Promise<void> }[] = [];
      for (const { end, answered, settled } of plans) {
        const entry = await publishPlan();
        const result = await publishResult(entry, end);
        events.push({
          at: answered,
          happens: async () => {
            await governor.answerPlan(entry);
            if ((await blockOf(entry))?.reason === "burst_limit_exceeded") isDisarmed ||= orders >= BURST;
          },
        });
        events.push({
          at: settled,
          happens: async () => {
            await governor.settleResult(result);
            if (isOrder(end)) orders += 1;
          },
        });
      }
      for (const { happens } of events.toSorted((a, b) => a.at - b.at)) {
        await happens();
        expect(disarms).toHaveLength(isDisarmed ? 1 : 0);
      }
      expect(await sums()).toMatchObject({ reserved: "0", open: 0, executions: orders });
    }),
    { numRuns: 40 },
  );
});

describe("an UPDATE_SL, which Python lets through as an execution", () => {
  it("is permitted, and neither reserves nor charges anything", async () => {
    const plan = await publishPlan({ steps: UPDATE_SL });
    await answer(plan);
    expect(await permitOf(plan)).not.toBeNull();
    expect(await sums()).toEqual(NOTHING);
    await settle(await publishResult(plan, NOT_IMPLEMENTED));
    expect(await sums()).toEqual(NOTHING);
    expect(await bookedOf(plan)).toMatch(/^ended /);
  });
});

describe("a step that failed", () => {
  it("is charged as it was reserved, books the plan, and counts as an error", async () => {
    const plans = [await publishPlan(), await publishPlan()];
    for (const plan of plans) {
      await answer(plan);
      await settle(await publishResult(plan, FAILED));
      expect(await bookedOf(plan)).toMatch(/^executed /);
    }
    expect(await sums()).toEqual({ charged: "600000", reserved: "0", open: 0, executions: 2 });
    expect(running.disarms).toEqual([]);
    const held = await publishPlan();
    await answer(held);
    expect(await blockOf(held)).toMatchObject({ reason: "orders_refused" });
  });

  it("is charged as reserved even where another step says a quantity", async () => {
    const plan = await publishPlan();
    await answer(plan);
    const success = { step: "CLOSE_PARTIAL_75", status: "success", executed_qty: "0.001" };
    const steps_results = JSON.stringify([success, { step: "CLOSE_PARTIAL_75", status: "error" }]);
    await settle(await publishResult(plan, { executed: "True", steps_results }));
    expect(await sums()).toMatchObject({ charged: "300000" });
  });
});

it("a SKIP, which Python writes for a plan it has seen before, releases nothing and charges nothing", async () => {
  const plan = await publishPlan();
  await answer(plan);
  const before = await sums();
  expect(await settle(await publishResult(plan, { decision: "SKIP" }))).toEqual({ kind: "ack" });
  expect(await sums()).toEqual(before);
  expect(await bookedOf(plan)).toBeNull();
});

it("an order books its plan id: after the operators' reset the same plan is denied", async () => {
  const plan = await publishPlan();
  await answer(plan);
  await redis.del(keys.permit("governor", planIdOf(plan)));
  const executed = await publishResult(plan, ORDER);
  await settle(executed);
  // The reset happens some time later.
  const resultMs = addedAtMs(executed.id);
  await redis.set(keys.booked("governor", planIdOf(plan)), `executed ${resultMs - 1}`, "KEEPTTL");
  const again = await publishPlan({ plan_id: planIdOf(plan) });
  await answer(again);
  expect(await permitOf(again)).toBeNull();
  expect(await blockOf(again)).toMatchObject({ reason: "already_executed" });
});
