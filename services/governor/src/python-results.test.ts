/** Beside the Python apply-layer: what its results do to the limits. Source: WIRE.md, "What a live swap … showed". */
import { createKeys } from "@quantum/contract";
import { createIssuer } from "@quantum/permits";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { type Entry, fieldsOf } from "@quantum/streams";
import { startRedisServer, type TestRedis } from "@quantum/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Governor, type GovernorEvents } from "./handler.ts";

const SYMBOL = "BTCUSDT";
const PLAN = "67e6da21fa9fe506";
const keys = createKeys();
const { totals, open, executions } = keys.reservations("governor", SYMBOL);
const CLOSE = '[{"step": "CLOSE_PARTIAL_75", "type": "market_reduce_only", "side": "close", "pct": 75.0}]';
const UPDATE_SL = '[{"step": "UPDATE_SL", "type": "stop_loss_order", "price": 101.5}]';
const steps = (...statuses: string[]) =>
  JSON.stringify(statuses.map((status) => ({ step: "CLOSE_PARTIAL_75", status, details: "…" })));

let server: TestRedis;
let redis: RedisClient;
let governor: Governor;
let disarms: GovernorEvents["disarmed"][0][];

beforeAll(async () => {
  server = await startRedisServer();
  redis = connectForCommands({ url: server.url, name: "governor-test", onError: () => undefined });
});
afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});
beforeEach(async () => {
  await redis.flushall();
  for (const stream of [keys.streams.plan, keys.streams.result])
    await redis.xgroup("CREATE", stream, "governor", "0", "MKSTREAM");
  const now = String(Math.floor(Date.now() / 1000));
  await redis.hset(keys.snapshot(SYMBOL), { position_amt: "0.004", mark_price: "100000.0", ts_epoch: now });
  const issuer = createIssuer({
    redis,
    keys,
    issuer: "governor",
    group: "governor",
    permitTtlSec: 60,
    denialTtlSec: 3_600,
    reserveTtlMs: 120_000,
  });
  const rules = { killScoreCritical: 0.8, executionsPerHour: 3, executionsPer5Min: 2 };
  governor = new Governor({
    redis,
    keys,
    issuer,
    rules: { ...rules, notionalPerDay: 500_000_000_000n, qtyPerDay: 2_000_000n },
    disarmOn: { burstBreach: true, errors: 2 },
    simulate: async () => "answer",
  });
  disarms = [];
  governor.on("disarmed", (disarm) => disarms.push(disarm));
});

async function deliver(stream: string, fields: Record<string, string>): Promise<Entry> {
  await redis.xadd(stream, "*", ...Object.entries(fields).flat());
  const reply = (await redis.xreadgroup("GROUP", "governor", "test", "STREAMS", stream, ">")) as [
    string,
    [string, string[]][],
  ][];
  const [id, flat] = reply[0]?.[1][0] ?? ["", []];
  return { id, fields: fieldsOf(flat), deliveries: 1 };
}
const plan = (planId = PLAN, planSteps = CLOSE) =>
  deliver(keys.streams.plan, {
    plan_id: planId,
    symbol: SYMBOL,
    action: planSteps === CLOSE ? "PARTIAL_75" : "UPDATE_SL",
    kill_score: "0.5",
    decision: "EXECUTE",
    steps: planSteps,
  });
const result = (fields: Record<string, string>, planId = PLAN) =>
  deliver(keys.streams.result, {
    plan_id: planId,
    symbol: SYMBOL,
    decision: "EXECUTE",
    executed: "False",
    would_execute: "False",
    steps_results: "[]",
    error: "",
    timestamp: String(Math.floor(Date.now() / 1000)),
    ...fields,
  });
const permitted = (planId = PLAN) => redis.exists(keys.permit("governor", planId));
const sums = async () => {
  const { "charged:qty": charged = "0", "reserved:qty": reserved = "0" } = await redis.hgetall(totals);
  return { charged, reserved, open: await redis.hlen(open), executions: await redis.zcard(executions) };
};
const NOTHING = { charged: "0", reserved: "0", open: 0, executions: 0 };

it("that come before the answer leave nothing to answer: many dry runs disarm nothing", async () => {
  for (let index = 0; index < 6; index++) {
    const planId = index.toString(16).padStart(16, "0");
    const published = await plan(planId);
    await governor.settleResult(
      await result({ would_execute: "True", steps_results: steps("would_execute") }, planId),
    );
    await governor.answerPlan(published);
    expect(await permitted(planId)).toBe(0);
  }
  expect(await sums()).toEqual(NOTHING);
  expect(disarms).toEqual([]);
});

it("that come after the answer release it", async () => {
  await governor.answerPlan(await plan());
  expect(await sums()).toMatchObject({ reserved: "300000", open: 1 });
  await governor.settleResult(await result({ would_execute: "True", steps_results: steps("would_execute") }));
  expect(await sums()).toEqual(NOTHING);
});

describe("an UPDATE_SL, which Python lets through as an execution", () => {
  it("is permitted, and neither reserves nor charges anything", async () => {
    await governor.answerPlan(await plan(PLAN, UPDATE_SL));
    expect(await permitted()).toBe(1);
    expect(await sums()).toEqual(NOTHING);
    await governor.settleResult(
      await result({
        executed: "True",
        steps_results: '[{"step": "UPDATE_SL", "status": "not_implemented"}]',
      }),
    );
    expect(await sums()).toEqual(NOTHING);
    expect(await redis.get(keys.booked("governor", PLAN))).toMatch(/^ended /);
  });
});

describe("a step that failed", () => {
  it("is charged as it was reserved, books the plan, and counts as an error", async () => {
    for (const planId of [PLAN, "3f58da1bdb590b3b"]) {
      await governor.answerPlan(await plan(planId));
      await governor.settleResult(await result({ executed: "True", steps_results: steps("error") }, planId));
    }
    expect(await sums()).toEqual({ charged: "600000", reserved: "0", open: 0, executions: 2 });
    expect(disarms).toEqual([]);
    const held = "0123456789abcdef";
    await governor.answerPlan(await plan(held));
    expect(await redis.get(keys.block("governor", held))).toContain('"reason": "orders_refused"');
    expect(await redis.get(keys.booked("governor", PLAN))).toMatch(/^executed /);
  });

  it("is charged as reserved even where another step says a quantity", async () => {
    await governor.answerPlan(await plan());
    const success = { step: "CLOSE_PARTIAL_75", status: "success", executed_qty: "0.001" };
    const steps_results = JSON.stringify([success, { step: "CLOSE_PARTIAL_75", status: "error" }]);
    await governor.settleResult(await result({ executed: "True", steps_results }));
    expect(await sums()).toMatchObject({ charged: "300000" });
  });
});

it("a SKIP, which Python writes for a plan it has seen before, releases nothing and charges nothing", async () => {
  await governor.answerPlan(await plan());
  const before = await sums();
  expect(await governor.settleResult(await result({ decision: "SKIP" }))).toEqual({ kind: "ack" });
  expect(await sums()).toEqual(before);
  expect(await redis.exists(keys.booked("governor", PLAN))).toBe(0);
});

it("an order books its plan id: after the operators' reset the same plan is denied", async () => {
  await governor.answerPlan(await plan());
  await redis.del(keys.permit("governor", PLAN));
  const order =
    '[{"step": "CLOSE_PARTIAL_75", "status": "success", "order_id": "1", "executed_qty": "0.003"}]';
  const executed = await result({ executed: "True", steps_results: order });
  await governor.settleResult(executed);
  // The reset, some time later.
  const resultMs = Number(executed.id.split("-")[0]);
  await redis.set(keys.booked("governor", PLAN), `executed ${resultMs - 1}`, "KEEPTTL");
  await governor.answerPlan(await plan());
  expect(await permitted()).toBe(0);
  expect(JSON.parse((await redis.get(keys.block("governor", PLAN))) ?? "")).toMatchObject({
    reason: "already_executed",
  });
});
