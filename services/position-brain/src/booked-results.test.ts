/** Results whose fills the account's events have told. */
import { EventEmitter } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BookedFills } from "./booked-fills.ts";
import type { Booker } from "./booker.ts";
import { PATIENCE, type Replica, startReplica } from "./booker.fixture.ts";
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

describe("without the events that tell their fills", () => {
  /** Those of one order: it is taken, the position moves, it is filled. */
  const lost = () => rig.streamFault({ kind: "drop", count: 3, symbol: "BTCUSDT" });
  const resultOf = async (orderId: string) => {
    const fields = { order_id: orderId, executed_qty: "0.046", settled_at_ms: String(Date.now()) };
    return deliver(keys.streams.result, resultFields(PLAN, "BTCUSDT", fields));
  };
  /** Of P3.3's reads. */
  const requests = async () => {
    const { ["POST /fapi/v1/order"]: _, ["POST /fapi/v1/listenKey"]: __, ...reads } = await rig.requests();
    return reads;
  };

  it("end their reservation, and begin their cooldown, if a reading has counted them", async () => {
    const brain = await brainOf({}, "answer", rig.pairs, replica.booked);
    await brain.answerPlan(await deliver(keys.streams.plan, planFields(PLAN, "BTCUSDT")));
    await lost();
    const { orderId } = await rig.order("BTCUSDT", "SELL", "0.046");
    await replica.refresh.all();
    const { ledger: counted } = await rig.pairs.read("BTCUSDT");
    expect(counted).toMatchObject({ amt: "0.016", booked: [{ orderId, qty: "0.046" }] });
    expect(counted?.lastExecution).toBeUndefined();
    const before = await requests();
    expect(await brain.settleResult(await resultOf(orderId))).toEqual({ kind: "done" });
    expect(await reserved()).toBe(0n);
    const { snapshot, ledger } = await rig.pairs.read("BTCUSDT");
    expect([snapshot?.positionAmt, ledger?.amt]).toEqual(["0.016", "0.016"]);
    expect(ledger?.lastExecution).toMatchObject({ planId: PLAN, orderId, qty: "0.046" });
    expect(await requests()).toEqual(before);
    // Events go on from there.
    await rig.order("BTCUSDT", "SELL", "0.006");
    await expect.poll(async () => (await rig.pairs.read("BTCUSDT")).ledger?.amt, PATIENCE).toBe("0.01");
  });

  it("wait for the reading that closes the gap, and need none of their own", async () => {
    const brain = await brainOf({}, "answer", rig.pairs, replica.booked);
    const before = await requests();
    const gaps = () => replica.happened.read.filter(({ reason }) => reason === "gap").length;
    const gapsBefore = gaps();
    await rig.fault({ kind: "latency", path: "GET /fapi/v3/positionRisk", ms: 300 });
    await rig.streamFault({ kind: "disconnect", ms: 50 });
    const { orderId } = await rig.order("BTCUSDT", "SELL", "0.046");
    await expect.poll(gaps, PATIENCE).toBe(gapsBefore + 1);
    expect(await brain.settleResult(await resultOf(orderId))).toEqual({ kind: "done" });
    expect((await rig.pairs.read("BTCUSDT")).ledger).toMatchObject({
      amt: "0.016",
      lastExecution: { orderId },
    });
    expect(replica.reads()).toEqual([]);
    const after = await requests();
    const more = (path: string) => (after[path] ?? 0) - (before[path] ?? 0);
    expect(more("GET /fapi/v1/openOrders")).toBe(6);
    expect(more("GET /fapi/v3/positionRisk")).toBe(1);
    expect(more("GET /fapi/v1/userTrades")).toBe(1);
  });

  it("stay pending while there is no room to ask, and come again when their symbol was read", async () => {
    const brain = await brainOf({}, "answer", rig.pairs, replica.booked);
    await lost();
    const { orderId } = await rig.order("BTCUSDT", "SELL", "0.046");
    rig.pauses.set("requests", { leftMs: 60_000, reason: "enough" });
    const before = await requests();
    const entry = await resultOf(orderId);
    const held = await brain.settleResult(entry);
    expect(held).toMatchObject({ kind: "retry", reason: expect.stringContaining("not asked") as string });
    rig.pauses.set("requests", undefined);
    expect(await requests()).toEqual(before);
    await replica.refresh.all();
    await (held as { again?: Promise<void> }).again;
    const counted = await requests();
    expect(await brain.settleResult(entry)).toEqual({ kind: "done" });
    expect(await requests()).toEqual(counted);
    expect((await rig.pairs.read("BTCUSDT")).ledger?.lastExecution).toMatchObject({ orderId });
  });

  it("are not shown by a ledger that their position does not match", async () => {
    await lost();
    const { orderId } = await rig.order("BTCUSDT", "SELL", "0.046");
    await replica.refresh.all();
    await replica.stop();
    const other = { isBooking: false, account: { ended: async () => undefined } };
    const booker = Object.assign(new EventEmitter(), other) as unknown as Booker;
    const fills = new BookedFills({ booker, stream: { isUp: false }, pairs: rig.pairs });
    const execution = { planId: PLAN, orderId, side: "SELL", qty: "0.046", atMs: Date.now() };
    const was = (positionAmt: string) =>
      rig.rewrite("BTCUSDT", (pair) => ({ ...pair, snapshot: { ...pair.snapshot, positionAmt } }));
    await was("0.062");
    expect(await fills.include("BTCUSDT", execution)).toBe(false);
    await was("0.016");
    expect(await fills.include("BTCUSDT", execution)).toBe(true);
    expect(await fills.include("BTCUSDT", { ...execution, qty: "0.047" })).toBe(false);
  });
});
