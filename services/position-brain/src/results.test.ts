import { describe, expect, it } from "vitest";
import {
  brainOf,
  CLOSE_ALL,
  deliver,
  pending,
  permit,
  PLAN,
  plan,
  reserved,
  result,
  rig,
  SECOND,
  venue,
} from "./handler.fixture.ts";
import { keys, planFields, resultFields } from "./rig.fixture.ts";

describe("a result", () => {
  it("that was refused for the symbol's rules has them read again, another refusal has not", async () => {
    venue.rulesReadAgain = 0;
    const brain = await brainOf();
    for (const reason of ["rejected_by_rules", "rejected_by_exchange", "rejected_for_account"]) {
      const fields = { executed: "False", outcome: "REJECTED", error: reason, reason };
      await brain.settleResult(await result(PLAN, "1-1", fields));
    }
    expect(venue.rulesReadAgain).toBe(1);
  });

  it("brings its fills into the pair, then ends its reservation", async () => {
    const brain = await brainOf();
    const entry = await plan(PLAN, "BTCUSDT");
    await brain.answerPlan(entry);
    const { orderId } = await rig.order("BTCUSDT", "SELL", "0.046");
    const executed = await result(PLAN, entry.id, {
      outcome: "EXECUTED",
      order_id: orderId,
      executed_qty: "0.046",
      steps_results: `[{"status": "success", "order_id": "${orderId}", "side": "SELL", "executed_qty": "0.046"}]`,
      settled_at_ms: String(Date.now()),
    });
    expect(await brain.settleResult(executed)).toEqual({ kind: "done" });
    const { pair, reservedUnits } = await rig.pairs.state("BTCUSDT");
    expect(reservedUnits).toBe(0n);
    expect(pair?.ledger).toMatchObject({
      amt: "0.016",
      lastExecution: { planId: PLAN, orderId, side: "SELL", qty: "0.046" },
    });
    expect(pair?.snapshot.positionAmt).toBe("0.016");
    expect(await pending(keys.streams.result)).toBe(0);

    // Again, as after a crash before the acknowledgement.
    expect(await brain.settleResult(executed)).toEqual({ kind: "done" });
    expect((await rig.pairs.state("BTCUSDT")).pair?.ledger.amt).toBe("0.016");
  });

  it("of the Python executor names neither attempt nor quantity, and ends the reservation all the same", async () => {
    const brain = await brainOf();
    await brain.answerPlan(await deliver(keys.streams.plan, planFields(PLAN, "BTCUSDT")));
    expect(await reserved()).toBe(4_600_000n);
    const { orderId } = await rig.order("BTCUSDT", "SELL", "0.046");
    const steps_results = `[{"status": "success", "order_id": "${orderId}", "side": "SELL", "executed_qty": "0.046"}]`;
    await brain.settleResult(
      await deliver(keys.streams.result, resultFields(PLAN, "BTCUSDT", { steps_results })),
    );
    expect(await reserved()).toBe(0n);
    expect((await rig.pairs.read("BTCUSDT")).ledger?.lastExecution).toMatchObject({ orderId, side: "SELL" });
  });

  it("that corrects one which ended the reservation brings its fills into the pair", async () => {
    const brain = await brainOf();
    const entry = await plan(PLAN, "BTCUSDT");
    await brain.answerPlan(entry);
    const denied = await result(PLAN, entry.id, { executed: "False", outcome: "NOT_PLACED" });
    await brain.settleResult(denied);
    const { orderId } = await rig.order("BTCUSDT", "SELL", "0.046");
    const executed = { outcome: "EXECUTED", order_id: orderId, executed_qty: "0.046" };
    const correction = await result(PLAN, entry.id, { ...executed, corrects: denied.id });
    for (const _ of [1, 2]) expect(await brain.settleResult(correction)).toEqual({ kind: "done" });
    const { pair, reservedUnits } = await rig.pairs.state("BTCUSDT");
    expect(reservedUnits).toBe(0n);
    expect(pair?.ledger).toMatchObject({ amt: "0.016", lastExecution: { planId: PLAN, orderId } });
    expect(await pending(keys.streams.result)).toBe(0);
  });

  it("without an execution ends the reservation without a request to the exchange", async () => {
    const brain = await brainOf();
    const entry = await plan(PLAN, "BTCUSDT");
    await brain.answerPlan(entry);
    const before = await rig.requests();
    await brain.settleResult(await result(PLAN, entry.id, { executed: "False", outcome: "NOT_PLACED" }));
    expect(await reserved()).toBe(0n);
    expect(await rig.requests()).toEqual(before);
  });

  it("whose exchange is away keeps its reservation and comes again", async () => {
    const brain = await brainOf();
    const entry = await plan(PLAN, "BTCUSDT");
    await brain.answerPlan(entry);
    const { orderId } = await rig.order("BTCUSDT", "SELL", "0.046");
    const executed = await result(PLAN, entry.id, { order_id: orderId, executed_qty: "0.046" });
    await rig.fault({ kind: "503_before", path: "GET /fapi/v3/positionRisk", count: 6 });
    expect(await brain.settleResult(executed)).toMatchObject({ kind: "retry" });
    expect(await reserved()).toBe(4_600_000n);
    expect(await pending(keys.streams.result)).toBe(1);
    expect(await brain.settleResult(executed)).toEqual({ kind: "done" });
    expect(await reserved()).toBe(0n);
  });

  it("of a symbol that is not ours is acknowledged, one that cannot be read is dead", async () => {
    const brain = await brainOf();
    const foreign = await deliver(keys.streams.result, resultFields(PLAN, "SOLUSDT"));
    expect(await brain.settleResult(foreign)).toEqual({ kind: "done" });
    expect(await pending(keys.streams.result)).toBe(0);
    const bad = await deliver(keys.streams.result, resultFields("none", "BTCUSDT"));
    expect(await brain.settleResult(bad)).toMatchObject({ kind: "dead" });
  });

  it("is waited for by a plan that comes before it is settled", async () => {
    const brain = await brainOf();
    const { orderId } = await rig.order("BTCUSDT", "SELL", "0.046");
    await rig.fault({ kind: "latency", path: "GET /fapi/v1/openOrders", ms: 200 });
    const settled = brain.settleResult(await result(PLAN, "", { order_id: orderId, executed_qty: "0.046" }));
    const deadline_ms = String(Date.now() + 20_000);
    await brain.answerPlan(await plan(SECOND, "BTCUSDT", { steps: CLOSE_ALL, deadline_ms }));
    await settled;
    expect(await permit(SECOND)).toMatchObject({ safe_qty: 0.016, exchange_position_amt: 0.016 });
  });
});
