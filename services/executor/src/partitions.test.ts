/** An executor over three partitions of one Redis. */
import { startFaultProxy } from "@quantum/harness";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { scriptedStream } from "./exchange.fixture.ts";
import { type Rig, startRig } from "./rig.fixture.ts";

const NUMBERS = [0, 1, 2];

let rig: Rig;
beforeAll(async () => {
  rig = await startRig({ partitions: NUMBERS.length });
});
afterAll(() => rig.stop());

async function startExecutor(options: Parameters<Rig["executor"]>[0] = {}) {
  const executor = await rig.executor(options);
  onTestFinished(() => executor.stop());
  return executor;
}
type Executor = Awaited<ReturnType<typeof startExecutor>>;

/** One plan of a fresh symbol in each partition. */
const spendEach = (over: Partial<Parameters<Rig["spend"]>[0]> = {}) =>
  Promise.all(NUMBERS.map((number) => rig.spend({ ...over, symbol: rig.freshSymbol(number) })));

/** How a plan ends: its outcome and reason. */
async function endOf(executor: Executor, entry: Awaited<ReturnType<Rig["spend"]>>) {
  const ended = executor.ended(entry);
  const entryId = await rig.publish(entry);
  const { reason, ...rest } = await ended;
  return { entryId, outcome: "outcome" in rest ? rest.outcome : "NOT_PLACED", reason };
}

it("a plan of each partition is executed once, with its result and nothing left in that partition", async () => {
  const executor = await startExecutor();
  const entries = await spendEach();
  const ends = await Promise.all(entries.map((entry) => endOf(executor, entry)));
  for (const [index, entry] of entries.entries()) {
    await rig.expectEnded(entry, ends[index]?.entryId ?? "", "EXECUTED", "");
    expect(await rig.ordersOf(entry)).toHaveLength(1);
  }
  const counts = NUMBERS.map(async (number) => {
    const { streams } = executor.partitions.all[number]?.keys ?? rig.keys;
    return [await rig.redis.xlen(streams.execute), await rig.redis.xlen(streams.result)];
  });
  expect(await Promise.all(counts)).toEqual([
    [1, 1],
    [1, 1],
    [1, 1],
  ]);
});

it("an entry that is repeated in another partition is a dead letter there, whatever that partition's keys say", async () => {
  const executor = await startExecutor({ consumer: "executor-2" });
  const entry = await rig.spend({ symbol: rig.freshSymbol(1) });
  const { entryId } = await endOf(executor, entry);
  const [first] = await rig.redis.xrange(rig.keysOf(entry.symbol).streams.execute, entryId, entryId);

  const { keys: elsewhere } = executor.partitions.all[2] ?? executor.partitions.account;
  // As earlier versions wrote it, without the one entry that it is for.
  const spent = (await rig.redis.get(rig.keysOf(entry.symbol).spent(entry.plan_id)))?.split(" ").slice(0, 4);
  await rig.redis.set(elsewhere.spent(entry.plan_id), spent?.join(" ") ?? "");
  const dead = new Promise<string>((resolve) =>
    executor.consumers[2]?.once("deadLettered", ({ reason }) => resolve(reason)),
  );
  await rig.redis.xadd(elsewhere.streams.execute, "*", ...(first?.[1] ?? []));
  expect(await dead).toBe(`${entry.symbol} belongs to another partition`);
  expect(await rig.redis.exists(elsewhere.order(entry.plan_id))).toBe(0);
  expect(await rig.redis.xlen(elsewhere.streams.deadLetter)).toBe(1);
  expect(await rig.ordersOf(entry)).toHaveLength(1);
});

it("an order in doubt is settled in its symbol's partition by an event of the account's one stream", async () => {
  const stream = scriptedStream(true);
  const executor = await startExecutor({ consumer: "executor-6", stream });
  const entry = await rig.spend({ symbol: rig.freshSymbol(2) });
  const { symbol, plan_id: planId } = entry;
  await rig.fault({ kind: "503_after", symbol });
  await rig.fault({ kind: "503_before", path: "GET /fapi/v1/order", symbol, count: 1_000 });
  const doubted = executor.next("doubted", planId);
  const entryId = await rig.publish(entry);
  await doubted;
  const settled = executor.next("settled", planId);
  const [order] = await rig.ordersOf(entry);
  if (order === undefined) throw new Error("it was not sent");
  const { orderId, clientOrderId, side, origQty } = order;
  stream.emit("order", {
    ...{ symbol, orderId, clientOrderId, side, origQty, executedQty: origQty, avgPrice: "2000.5" },
    ...{ reduceOnly: true, executionType: "TRADE", status: "FILLED", fill: undefined, origin: "ours" },
    ...{ eventTimeMs: Date.now(), timeMs: Date.now() },
  });
  expect(await settled).toMatchObject({ by: "event", outcome: "EXECUTED" });
  await rig.expectEnded(entry, entryId, "EXECUTED", "");
});

it("a partition that does not answer holds up its own plans only, and they end once it does", async () => {
  const proxy = await startFaultProxy({ upstream: { port: rig.server.port } });
  onTestFinished(() => proxy.close());
  const executor = await startExecutor({
    consumer: "executor-5",
    urlOf: (partition) => (partition === ":q0" ? `redis://127.0.0.1:${proxy.port}` : undefined),
  });
  const entries = await spendEach({ valid_until_ms: String((await rig.redisMs()) + 60_000) });
  proxy.stall();
  const [held, ...others] = entries.map(async (entry) => {
    // Whose answer is lost is queried.
    await rig.fault({ kind: "503_after", symbol: entry.symbol });
    return endOf(executor, entry);
  });
  let isHeldOver = false;
  const over = held?.finally(() => (isHeldOver = true));
  for (const end of await Promise.all(others)) expect(end).toMatchObject({ outcome: "EXECUTED", reason: "" });
  expect(isHeldOver).toBe(false);
  proxy.heal();
  await over;
  for (const entry of entries) expect((await rig.ordersOf(entry)).length).toBeLessThanOrEqual(1);
  expect((await rig.results(entries[0]?.plan_id ?? "")).length).toBe(1);
});

it("a partition that has lost its memory has its plans queried, and only its own", async () => {
  const executor = await startExecutor({ consumer: "executor-3" });
  // Proposed before the loss, and opened after it: an earlier opening may be lost.
  const nowMs = await rig.redisMs();
  const lost = executor.partitions.all[1]?.keys ?? rig.keys;
  const found = new Promise<string | undefined>((resolve) =>
    executor.events.once("rewound", ({ partition }) => resolve(partition)),
  );
  for (const key of await rig.redis.keys("quantum:*{q1}*")) await rig.redis.del(key);
  await rig.redis.xgroup("CREATE", lost.streams.execute, "executor", "0", "MKSTREAM");
  const entries = await spendEach({ proposed_ms: String(nowMs) });
  const ends = await Promise.all(entries.map((entry) => endOf(executor, entry)));
  expect(await found).toBe("q1");
  expect(ends.map(({ outcome, reason }) => `${outcome} ${reason}`)).toEqual([
    "EXECUTED ",
    "NOT_PLACED not_placed_by_evidence",
    "EXECUTED ",
  ]);
  const orders = await Promise.all(entries.map((entry) => rig.ordersOf(entry)));
  expect(orders.map(({ length }) => length)).toEqual([1, 0, 1]);
});

it("an order that was sent before its partition lost the claim is found, and not sent again", async () => {
  const executor = await startExecutor({ consumer: "executor-4" });
  const entry = await rig.spend({
    symbol: rig.freshSymbol(2),
    proposed_ms: String(await rig.redisMs()),
  });
  await rig.send(entry);
  await rig.redis.del(rig.keysOf(entry.symbol).orderEpoch);
  const { entryId, ...end } = await endOf(executor, entry);
  expect(end).toEqual({ outcome: "EXECUTED", reason: "" });
  await rig.expectEnded(entry, entryId, "EXECUTED", "");
  expect(await rig.ordersOf(entry)).toHaveLength(1);
});
