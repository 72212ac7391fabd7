import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startRig, type Rig } from "./rig.ts";

let rig: Rig;
let executor: Awaited<ReturnType<Rig["executor"]>>;

beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(async () => {
  executor = await rig.executor();
});
afterEach(() => executor.stop());

const ordersOf = async (planId: string) =>
  (await rig.orders()).filter((order) => order.clientOrderId.includes(planId));

/** Everything that must hold of an ended order, whatever happened on the way. */
async function expectEnded(entry: Record<string, string>, outcome: string, reason: string): Promise<void> {
  const { plan_id: planId = "", symbol = "" } = entry;
  const results = await rig.results(planId);
  expect(results).toHaveLength(1);
  expect(results[0]).toMatchObject({
    outcome,
    error: reason,
    executed: outcome === "EXECUTED" ? "True" : "False",
    attempt: entry["attempt"],
  });
  expect(await rig.redis.hgetall(rig.keys.order(planId))).toMatchObject({ state: outcome, reason });
  expect(await rig.redis.hgetall(rig.keys.plan(planId))).toMatchObject({ state: outcome });
  expect(await rig.redis.exists(rig.keys.unsettled(symbol), rig.keys.unknown(symbol))).toBe(0);
  expect(await rig.redis.xpending(rig.keys.streams.execute, "executor")).toMatchObject([0, null, null, null]);
}

describe("an execute entry", () => {
  it("becomes one reduce-only order and one result in the wire's form", async () => {
    const settled = executor.next("settled");
    const entry = await rig.spend({ position_amt: "0.062", safe_qty: "0.046" });
    await rig.publish(entry);
    await settled;
    await expectEnded(entry, "EXECUTED", "");
    const [order, ...more] = await ordersOf(entry["plan_id"] ?? "");
    expect(more).toEqual([]);
    expect(order).toMatchObject({ side: "SELL", origQty: "0.046", reduceOnly: true, status: "FILLED" });
    const [result] = await rig.results(entry["plan_id"] ?? "");
    expect(result?.["steps_results"]).toBe(
      `[{"step": "CLOSE_PARTIAL_75", "status": "success", "details": "Order ${order?.orderId}: SELL 0.046 @ MARKET ` +
        `(reduceOnly)", "order_id": "${order?.orderId}", "side": "SELL", "quantity": "0.046", "executed_qty": "0.046", ` +
        `"reduce_only": true}]`,
    );
  });
});
