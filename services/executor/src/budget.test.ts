/** The exchange's limits, shared by processes through a real Redis. */
import { Budget, type LimitKind } from "@quantum/exchange";
import { connectForCommands, disconnect } from "@quantum/redis";
import { shareExchangeBudget } from "@quantum/service-kit";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { type Rig, startRig } from "./rig.fixture.ts";

const POLL = { timeout: 10_000, interval: 20 };
const log = { error: () => undefined };
const stops: (() => void)[] = [];
let rig: Rig;
beforeAll(async () => void (rig = await startRig()));
afterAll(() => rig.stop());
beforeEach(() => rig.redis.flushall());
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

async function processOf(instance: string, kinds?: readonly LimitKind[], redis = rig.redis) {
  const budget = new Budget(kinds);
  const { keys } = rig;
  const shared = { budget, redis, keys, egress: "default", account: "main", instance, log };
  stops.push(await shareExchangeBudget(shared));
  budget.setLimits({ weight_1m: 2_400, orders_1m: 1_200, orders_10s: 300 });
  return budget;
}
const hasBlock = (budget: Budget, weight_1m = 100) => budget.shortage("order", { weight_1m }) === undefined;

/** Once more if a minute ended in between: then the counts began again at 0. */
function inOneMinute(body: () => Promise<void>): () => Promise<void> {
  return async () => {
    for (;;) {
      const minute = Math.floor((await rig.redisMs()) / 60_000);
      const failure = await body().catch((error: unknown) => error as Error);
      if (failure === undefined) return;
      if (Math.floor((await rig.redisMs()) / 60_000) === minute) throw failure;
      for (const stop of stops.splice(0)) stop();
      await rig.redis.flushall();
    }
  };
}

/** Spends what it may, in pieces, until it stays held. @returns how much */
async function spendAll(budget: Budget): Promise<number> {
  let spent = 0;
  for (let tries = 0; tries < 50; tries++) {
    while (budget.shortage("refresh", { weight_1m: 10 }) === undefined) {
      budget.spend({ weight_1m: 10 });
      spent += 10;
    }
    // One round trip: the draw that the shortage has asked for came before it.
    await rig.redis.ping();
  }
  return spent;
}

it(
  "what one process spends is known to the others within a second, and to one that starts",
  inOneMinute(async () => {
    const [first, second] = [await processOf("first"), await processOf("second", ["weight_1m"])];
    await expect.poll(() => hasBlock(first), POLL).toBe(true);
    for (let n = 0; n < 30; n++) first.spend({ weight_1m: 45 });
    await expect.poll(() => second.shortage("audit", { weight_1m: 1 })?.used, POLL).toBe(1_350);
    const late = await processOf("late");
    await expect.poll(() => late.shortage("audit", { weight_1m: 1 })?.used, POLL).toBe(1_350);
  }),
);

it(
  "all processes together stay below a class's share",
  inOneMinute(async () => {
    const budgets = [await processOf("a"), await processOf("b"), await processOf("c")];
    await expect.poll(() => budgets.every((budget) => hasBlock(budget)), POLL).toBe(true);
    const spent = await Promise.all(budgets.map(spendAll));
    const sum = spent.reduce((total, one) => total + one, 0);
    expect(sum).toBeGreaterThan(1_700);
    expect(sum).toBeLessThanOrEqual(2_160);
  }),
);

it(
  "a process that starts again does not forget what it has spent before",
  inOneMinute(async () => {
    const first = await processOf("same");
    await expect.poll(() => hasBlock(first), POLL).toBe(true);
    for (let n = 0; n < 30; n++) first.spend({ weight_1m: 45 });
    const key = rig.keys.exchangeBudget("weight_1m", "default");
    await expect.poll(async () => Object.values(await rig.redis.hgetall(key)), POLL).toContain("1350");
    stops.pop()?.();
    const again = await processOf("same");
    await expect.poll(() => again.shortage("audit", { weight_1m: 1 })?.used, POLL).toBe(1_350);
  }),
);

it(
  "without Redis a process spends what is left of its block, and no more",
  inOneMinute(async () => {
    const connection = connectForCommands({ url: rig.server.url, name: "test", onError: () => undefined });
    const budget = await processOf("alone", undefined, connection);
    await expect.poll(() => hasBlock(budget), POLL).toBe(true);
    await disconnect(connection);
    const spent = await spendAll(budget);
    expect(spent).toBeGreaterThanOrEqual(1_000);
    expect(spent).toBeLessThanOrEqual(1_080);
    expect(budget.shortage("vital", { weight_1m: 40 })).toBeUndefined();
  }),
);

it("an order that the limits leave no room for ends NOT_PLACED before its claim, unsent", async () => {
  const budget = new Budget();
  const executor = await rig.executor({ budget });
  budget.setLimits({ orders_1m: 2 });
  const outcomes: string[] = [];
  for (let plans = 0; plans < 2; plans++) {
    const entry = await rig.spend({ symbol: rig.freshSymbol() });
    const ended = executor.ended(entry);
    const entryId = await rig.publish(entry);
    await ended;
    const [outcome, reason] = plans === 0 ? ["EXECUTED", ""] : ["NOT_PLACED", "venue_budget"];
    await rig.expectEnded(entry, entryId, outcome, reason);
    outcomes.push(String(await rig.redis.hget(rig.keys.order(entry.plan_id), "client_order_id")));
  }
  expect(outcomes).toEqual([expect.stringMatching(/^qp-/), "null"]);
  expect(await rig.requests("POST /fapi/v1/order")).toBe(1);
  await executor.stop();
});
