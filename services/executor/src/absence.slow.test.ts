/** An order that queries deny is only absent if the account agrees. One that is found later is adopted. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Rig, type Spent, startRig } from "./rig.fixture.ts";

const ABSENCE_MS = 800;
const ENDLESS = 10_000;
const QUERY = "GET /fapi/v1/order";

let rig: Rig;
let executor: Awaited<ReturnType<Rig["executor"]>>;

beforeAll(async () => {
  rig = await startRig();
  executor = await rig.executor({ absenceMs: ABSENCE_MS });
});
afterAll(async () => {
  await executor.stop();
  await rig.stop();
});

const denied = (symbol: string, count = ENDLESS) =>
  rig.fault({ kind: "error", code: -2013, path: QUERY, symbol, count });

/** Waits until it is still in doubt because of `why`, although it was denied for long enough. */
async function staysInDoubt(planId: string, why: RegExp): Promise<void> {
  for (;;) {
    const question = await executor.next("unresolved", planId);
    if (question.absentMs >= ABSENCE_MS && why.test(question.why)) return;
  }
}

async function doubt(entry: Spent): Promise<string> {
  const doubted = executor.next("doubted", entry.plan_id);
  const entryId = await rig.publish(entry);
  await doubted;
  return entryId;
}

it.concurrent("an order that queries deny for less than that is EXECUTED", async () => {
  const symbol = rig.freshSymbol();
  await rig.fault({ kind: "lag", ms: ABSENCE_MS, symbol });
  const entry = await rig.spend({ symbol });
  const ended = executor.ended(entry);
  const entryId = await doubt(entry);
  await ended;
  await rig.expectEnded(entry, entryId, "EXECUTED", "");
  expect(await rig.ordersOf(entry)).toHaveLength(1);
});

it.concurrent("an order that every query denies is EXECUTED once the account lists it", async () => {
  const symbol = rig.freshSymbol();
  await rig.fault({ kind: "503_after", symbol });
  // Queried by its client order id; then the account lists it, and it is queried by its id.
  await denied(symbol, 5);
  const entry = await rig.spend({ symbol });
  const ended = executor.ended(entry);
  const entryId = await doubt(entry);
  await ended;
  await rig.expectEnded(entry, entryId, "EXECUTED", "");
  expect(await rig.ordersOf(entry)).toHaveLength(1);
});

it.concurrent("a trade of an order that nobody knows keeps it in doubt", async () => {
  const symbol = rig.freshSymbol();
  await rig.fault({ kind: "lag", ms: 60_000, symbol });
  const entry = await rig.spend({ symbol });
  await doubt(entry);
  await staysInDoubt(entry.plan_id, /^trade \d+ is of order \d+, which is unknown$/);
  expect(await rig.results(entry.plan_id)).toEqual([]);
});

it.concurrent("a position that it could have moved keeps it in doubt, until it is explained", async () => {
  const symbol = rig.freshSymbol();
  await rig.fault({ kind: "503_before", symbol });
  const entry = await rig.spend({ symbol });
  await rig.movePosition(symbol, "0.990");
  const ended = executor.ended(entry);
  const entryId = await doubt(entry);
  await staysInDoubt(entry.plan_id, /^the position went from 1.0 to 0.990, and the trades do not tell why$/);
  await rig.movePosition(symbol, "1.000");
  await ended;
  await rig.expectEnded(entry, entryId, "NOT_PLACED", "not_placed_by_evidence");
  expect(await rig.ordersOf(entry)).toEqual([]);
});

/** The form that permitctl's `doubt end` writes. */
const state = (planId: string, outcome: "EXECUTED" | "NOT_PLACED", quantity = "") =>
  rig.redis.hset(rig.keys.order(planId), {
    stated_outcome: outcome,
    stated_qty: quantity,
    next_ask_at_ms: 0,
  });
const MOVED = /the trades do not tell why$/;

it.concurrent("an operator's NOT_PLACED ends what the position keeps in doubt, and is corrected", async () => {
  const { symbol, entry, entryId } = await movedWithoutTrade();
  const ended = executor.ended(entry);
  await state(entry.plan_id, "NOT_PLACED");
  await ended;
  await rig.expectEnded(entry, entryId, "NOT_PLACED", "not_placed_by_operator");

  await rig.movePosition(symbol, "1.000");
  const corrected = executor.next("corrected", entry.plan_id);
  await rig.send(entry);
  expect(await corrected).toMatchObject({ outcome: "EXECUTED", executedQty: "0.010" });
  expect((await rig.results(entry.plan_id)).map(({ outcome }) => outcome)).toEqual([
    "NOT_PLACED",
    "EXECUTED",
  ]);
});

it.concurrent("an operator's EXECUTED ends it with the quantity that was stated", async () => {
  const { entry, entryId } = await movedWithoutTrade();
  const ended = executor.ended(entry);
  await state(entry.plan_id, "EXECUTED", "0.008");
  await ended;
  const result = await rig.expectEnded(entry, entryId, "EXECUTED", "");
  expect(result).toMatchObject({ executed_qty: "0.008", detail: "stated_by_operator", order_id: "" });
});

it.concurrent("the exchange's word counts, not the operator's, if it knows the order", async () => {
  const symbol = rig.freshSymbol();
  await rig.fault({ kind: "503_after", symbol });
  await rig.fault({ kind: "503_before", path: QUERY, symbol, count: 4 });
  const entry = await rig.spend({ symbol });
  const ended = executor.ended(entry);
  const entryId = await doubt(entry);
  await state(entry.plan_id, "NOT_PLACED");
  await ended;
  const result = await rig.expectEnded(entry, entryId, "EXECUTED", "");
  expect(result).toMatchObject({ executed_qty: "0.010", detail: "" });
});

it.concurrent("what an operator states waits until the exchange can be asked", async () => {
  const { symbol, entry, entryId } = await movedWithoutTrade();
  await rig.fault({ kind: "503_before", path: QUERY, symbol, count: 2 });
  const ended = executor.ended(entry);
  const question = executor.next("unresolved", entry.plan_id);
  await state(entry.plan_id, "NOT_PLACED");
  await question;
  expect(await rig.results(entry.plan_id)).toEqual([]);
  await ended;
  await rig.expectEnded(entry, entryId, "NOT_PLACED", "not_placed_by_operator");
});

/** It stays in doubt, because only the order explains the position. */
async function movedWithoutTrade() {
  const symbol = rig.freshSymbol();
  await rig.fault({ kind: "503_before", symbol });
  const entry = await rig.spend({ symbol });
  await rig.movePosition(symbol, "0.990");
  const entryId = await doubt(entry);
  await staysInDoubt(entry.plan_id, MOVED);
  return { symbol, entry, entryId };
}

it.concurrent.each(["GET /fapi/v1/allOrders", "GET /fapi/v1/userTrades", "GET /fapi/v3/positionRisk"])(
  "an account whose %s cannot be read proves nothing",
  async (path) => {
    const symbol = rig.freshSymbol();
    await rig.fault({ kind: "503_before", symbol });
    await rig.fault({ kind: "error", code: -5000, path, symbol });
    const entry = await rig.spend({ symbol });
    const ended = executor.ended(entry);
    const entryId = await doubt(entry);
    await staysInDoubt(entry.plan_id, /^the account cannot be read$/);
    await ended;
    await rig.expectEnded(entry, entryId, "NOT_PLACED", "not_placed_by_evidence");
    expect(await rig.ordersOf(entry)).toEqual([]);
  },
);

it.concurrent("a query that cannot be read proves nothing", async () => {
  const symbol = rig.freshSymbol();
  await rig.fault({ kind: "503_before", symbol });
  await rig.fault({ kind: "empty_body", path: QUERY, symbol, count: 4 });
  const entry = await rig.spend({ symbol });
  await doubt(entry);
  for (let asked = 1; asked <= 4; asked += 1) {
    expect((await executor.next("unresolved", entry.plan_id)).absentMs).toBe(0);
  }
});

it.concurrent("an order key that cannot be read keeps no other order from its end", async () => {
  const { redis, keys } = rig;
  const [broken, other] = [rig.freshSymbol(), rig.freshSymbol()];
  await redis.sadd(keys.orderSymbols, broken);
  await redis.lpush(keys.order("f".repeat(16)), "no hash");
  await redis.zadd(keys.unsettled(broken), 1, "f".repeat(16));
  await rig.fault({ kind: "503_after", symbol: other });
  const entry = await rig.spend({ symbol: other });
  const ended = executor.ended(entry);
  const entryId = await doubt(entry);
  await ended;
  await rig.expectEnded(entry, entryId, "EXECUTED", "");
  expect(await rig.ordersOf(entry)).toHaveLength(1);
});

it.concurrent("an order that shows up after it ended is adopted, with one correction", async () => {
  const { redis, keys } = rig;
  const symbol = rig.freshSymbol();
  await rig.fault({ kind: "503_before", symbol });
  const entry = await rig.spend({ symbol });
  const ended = executor.ended(entry);
  const entryId = await doubt(entry);
  await ended;
  const result = await rig.expectEnded(entry, entryId, "NOT_PLACED", "not_placed_by_evidence");
  expect(await redis.zscore(keys.absent(symbol), entry.plan_id)).not.toBeNull();

  await rig.send(entry);
  const corrected = executor.next("corrected", entry.plan_id);
  expect(await corrected).toMatchObject({ outcome: "EXECUTED", executedQty: "0.010" });
  const [first, second, ...more] = await rig.results(entry.plan_id);
  expect([first, more]).toEqual([result, []]);
  expect(second).toMatchObject({ outcome: "EXECUTED", executed: "True", executed_qty: "0.010" });
  expect(second?.["corrects"]).toBe(await redis.hget(keys.order(entry.plan_id), "result_id"));
  expect(await redis.exists(keys.absent(symbol))).toBe(0);
  expect(await rig.ordersOf(entry)).toHaveLength(1);
});
