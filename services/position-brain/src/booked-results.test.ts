/** Results whose fills the account's events have told. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Replica, startReplica } from "./booker.fixture.ts";
import { brainOf, deliver, PLAN, rig } from "./handler.fixture.ts";
import { keys, planFields, resultFields } from "./rig.fixture.ts";

let replica: Replica;
beforeEach(async () => {
  replica = await startReplica(rig);
  await replica.kept();
});
afterEach(() => replica.stop());

const reserved = async () => (await rig.pairs.state("BTCUSDT")).reservedUnits;

it("end their reservation without a request to the exchange", async () => {
  const brain = await brainOf({}, "answer", rig.pairs, replica.booked);
  await brain.answerPlan(await deliver(keys.streams.plan, planFields(PLAN, "BTCUSDT")));
  expect(await reserved()).toBe(4_600_000n);
  const { orderId } = await rig.order("BTCUSDT", "SELL", "0.046");
  const before = await rig.requests();
  const executed = resultFields(PLAN, "BTCUSDT", { order_id: orderId, executed_qty: "0.046" });
  expect(await brain.settleResult(await deliver(keys.streams.result, executed))).toEqual({ kind: "done" });
  const { pair, reservedUnits } = await rig.pairs.state("BTCUSDT");
  expect(reservedUnits).toBe(0n);
  expect(pair?.snapshot.positionAmt).toBe("0.016");
  expect(pair?.ledger).toMatchObject({
    amt: "0.016",
    lastExecution: { orderId, side: "SELL", qty: "0.046" },
  });
  expect(await rig.requests()).toEqual(before);
});

it("keep their reservation until the exchange was asked, if their events are lost", async () => {
  const brain = await brainOf({}, "answer", rig.pairs, replica.booked);
  await brain.answerPlan(await deliver(keys.streams.plan, planFields(PLAN, "BTCUSDT")));
  await rig.streamFault({ kind: "drop", count: 20, symbol: "BTCUSDT" });
  const { orderId } = await rig.order("BTCUSDT", "SELL", "0.046");
  const executed = resultFields(PLAN, "BTCUSDT", { order_id: orderId, executed_qty: "0.046" });
  const settled = brain.settleResult(await deliver(keys.streams.result, executed));
  expect(await reserved()).toBe(4_600_000n);
  expect(await settled).toEqual({ kind: "done" });
  const { pair, reservedUnits } = await rig.pairs.state("BTCUSDT");
  expect(reservedUnits).toBe(0n);
  expect(pair?.ledger).toMatchObject({ amt: "0.016", lastExecution: { orderId } });
  expect(pair?.ledger.anchor).toBeUndefined();
});
