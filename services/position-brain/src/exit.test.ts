/** What an operator's exit is to P3.3: an order whose fills it books, and after which nothing waits. */
import { describe, expect, it } from "vitest";
import {
  brainOf,
  CLOSE_ALL,
  pending,
  permit,
  PLAN,
  plan,
  reserved,
  result,
  rig,
  SECOND,
} from "./handler.fixture.ts";
import { keys } from "./rig.fixture.ts";

const COOLDOWN = { cooldownSec: 15 };
const CLOSED_QTY = "0.020";

/** An operator has closed a part of the position; P3.3 has not been told yet. */
async function exited(exitClass: string | undefined) {
  const { orderId } = await rig.order("BTCUSDT", "SELL", CLOSED_QTY);
  if (exitClass !== undefined) await rig.redis.hset(keys.order(SECOND), { class: exitClass });
  return result(SECOND, "1-1", {
    outcome: "EXECUTED",
    order_id: orderId,
    executed_qty: CLOSED_QTY,
    steps_results: `[{"status": "success", "order_id": "${orderId}", "side": "SELL", "executed_qty": "${CLOSED_QTY}"}]`,
    settled_at_ms: String(Date.now()),
    ...(exitClass !== undefined && { class: exitClass }),
  });
}

describe("an operator's exit", () => {
  it("is not answered: no permit, no denial, nothing promised", async () => {
    const entry = await plan(PLAN, "BTCUSDT", { class: "operator", steps: CLOSE_ALL });
    expect(await (await brainOf()).answerPlan(entry)).toEqual({ kind: "ack" });
    expect([await permit(PLAN), await reserved()]).toEqual([undefined, 0n]);
  });

  it("has its fills booked like those of any order of ours, and releases nobody's promise", async () => {
    const brain = await brainOf();
    await brain.answerPlan(await plan(PLAN, "BTCUSDT", { steps: CLOSE_ALL }));
    expect(await brain.settleResult(await exited("operator"))).toEqual({ kind: "ack" });
    const { pair, reservedUnits } = await rig.pairs.state("BTCUSDT");
    expect(pair?.ledger).toMatchObject({ amt: "0.042", lastExecution: { planId: SECOND, qty: CLOSED_QTY } });
    expect(pair?.snapshot.positionAmt).toBe("0.042");
    expect(reservedUnits).toBe(6_200_000n);
  });

  it.each([
    ["starts no cooldown", "operator", { allow: true, safe_qty: 0.042 }],
    ["starts one if the executor has not verified it as one", undefined, { allow: false }],
  ])("%s", async (_, exitClass, verdict) => {
    const brain = await brainOf(COOLDOWN);
    await brain.settleResult(await exited(exitClass));
    await brain.answerPlan(await plan(PLAN, "BTCUSDT", { steps: CLOSE_ALL }));
    expect(await permit(PLAN)).toMatchObject(verdict);
  });

  it("whose claim cannot be read starts one, and the plan is answered", async () => {
    const brain = await brainOf(COOLDOWN);
    await brain.settleResult(await exited("operator"));
    await rig.redis.multi().del(keys.order(SECOND)).lpush(keys.order(SECOND), "x").exec();
    await brain.answerPlan(await plan(PLAN, "BTCUSDT"));
    expect(await permit(PLAN)).toMatchObject({ allow: false, reason: "cooldown_in_flight" });
  });

  it("that was not placed asks the exchange nothing and is acknowledged", async () => {
    const brain = await brainOf();
    const before = await rig.requests();
    const drill = await result(SECOND, "1-1", { executed: "False", outcome: "NOT_PLACED", class: "drill" });
    expect(await brain.settleResult(drill)).toEqual({ kind: "ack" });
    expect(await rig.requests()).toEqual(before);
    expect(await pending(keys.streams.result)).toBe(1);
  });

  it("whose fills do not show yet comes again", async () => {
    const brain = await brainOf();
    const told = await exited("operator");
    await rig.fault({ kind: "503_before", path: "GET /fapi/v1/userTrades", count: 100 });
    expect(await brain.settleResult(told)).toMatchObject({ kind: "retry" });
  });
});
