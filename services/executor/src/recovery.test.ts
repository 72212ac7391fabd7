/** After crashes of executors and Redis, everything ends correctly: nothing is sent twice, nothing is left open. */
import { executeEntry } from "@quantum/contract";
import { patienceMs } from "@quantum/harness";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createEvents } from "./events.ts";
import { createOrders } from "./orders.ts";
import { GROUP, OWNER, type Rig, type Spent, startRig } from "./rig.fixture.ts";

let rig: Rig;
let running: Awaited<ReturnType<Rig["executor"]>>[];

beforeEach(async () => {
  rig = await startRig();
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map((executor) => executor.stop()));
  await rig.stop();
});

async function start(consumer = "executor-1", options: Parameters<Rig["executor"]>[0] = {}) {
  const executor = await rig.executor({ consumer, ...options });
  running.push(executor);
  return executor;
}

const clientOrderIdOf = ({ plan_id }: Spent) => `qp-${plan_id}-1`;
const POST = "POST /fapi/v1/order";

/**
 * Simulates an executor that dies after the claim, before or after the send. The window has passed when the entry is
 * reclaimed.
 */
async function dieAfterClaim(
  entry: Spent,
  consumer: string,
  sent: boolean,
  window = { sinceMs: Date.now() - 1000, ms: 100 },
): Promise<string> {
  const { redis, keys } = rig;
  await redis.xgroup("CREATE", keys.streams.execute, GROUP, "0", "MKSTREAM").catch(() => undefined);
  const entryId = await rig.publish(entry);
  await redis.xreadgroup("GROUP", GROUP, consumer, "COUNT", 1, "STREAMS", keys.streams.execute, ">");
  const orders = createOrders({ redis, keys, group: GROUP, instance: OWNER, events: createEvents() });
  await redis.sadd(keys.orderSymbols, entry.symbol);
  await rig.owned();
  const claimed = await orders.claim({
    entryId,
    entry: executeEntry.parse(entry),
    intent: { side: "SELL", quantity: "0.010" },
    clientOrderId: clientOrderIdOf(entry),
    venueMs: window.sinceMs,
    windowMs: window.ms,
    refusal: "",
    detail: "",
    isVerified: true,
    signatures: {},
  });
  expect(claimed.kind).toBe("claimed");
  if (sent) await rig.send(entry);
  return entryId;
}

describe.each([
  [true, "EXECUTED", ""],
  [false, "NOT_PLACED", "not_placed_by_evidence"],
])("an executor that died after the claim (sent: %s)", (sent, outcome, reason) => {
  it("asks after its restart, and sends nothing", async () => {
    const entry = await rig.spend({ symbol: rig.freshSymbol() });
    const entryId = await dieAfterClaim(entry, "executor-1", sent);
    const before = await rig.requests(POST);
    // The restarted executor finds its pending entry during its start, so wait for the result in Redis.
    await start("executor-1");
    await expect.poll(() => rig.redis.xlen(rig.keys.streams.result), { timeout: 10_000 }).toBe(1);
    await rig.expectEnded(entry, entryId, outcome, reason);
    expect(await rig.requests(POST)).toBe(before);
    expect(await rig.ordersOf(entry)).toHaveLength(sent ? 1 : 0);
  });

  it("is noticed by another one", async () => {
    const entry = await rig.spend({ symbol: rig.freshSymbol() });
    const entryId = await dieAfterClaim(entry, "executor-dead", sent);
    const executor = await start("executor-2");
    const ended = executor.ended(entry);
    executor.resolver.wake();
    await ended;
    await rig.expectEnded(entry, entryId, outcome, reason);
    expect(await rig.ordersOf(entry)).toHaveLength(sent ? 1 : 0);
  });

  it("after it had marked the order UNKNOWN", async () => {
    const entry = await rig.spend({ symbol: rig.freshSymbol() });
    const entryId = await dieAfterClaim(entry, "executor-dead", sent);
    const executor = await start("executor-2");
    const order = await executor.queries.read(entry.plan_id);
    if (order === undefined) throw new Error("it is claimed");
    expect(await executor.orders.doubt(order, "answer_ambiguous")).toBe(true);
    const ended = executor.ended(entry);
    executor.resolver.wake();
    await ended;
    await rig.expectEnded(entry, entryId, outcome, reason);
  });

  it("and whose Redis forgot it all: the entry that comes again is queried, however late", async () => {
    const executor = await start();
    const entry = await rig.spend({ symbol: rig.freshSymbol() });
    if (sent) await rig.send(entry);
    const before = await rig.requests(POST);
    const rewound = new Promise((resolve) => executor.events.once("rewound", resolve));
    const group = new Promise((resolve) => executor.consumer.once("group", resolve));
    await rig.server.restart();
    await Promise.all([rewound, group]);

    // Its log still had the spent permits and the entry, now expired, but no claim or acknowledgement.
    const again = { ...(await rig.spend(entry)), valid_until_ms: "1" };
    const doubted = executor.next("doubted", entry.plan_id);
    const ended = executor.ended(entry);
    const entryId = await rig.publish(again);
    expect((await doubted).doubt).toBe("claimed_before");
    await ended;
    await rig.expectEnded(again, entryId, outcome, reason);
    expect(await rig.requests(POST)).toBe(before);
    expect(await rig.ordersOf(entry)).toHaveLength(sent ? 1 : 0);

    // Later than a publisher's clock error could make a proposal from before the loss.
    const laterMs = (await rig.redisMs()) + 6_000;
    const later = await rig.spend({ symbol: rig.freshSymbol(), proposed_ms: String(laterMs) });
    const executed = executor.ended(later);
    await rig.publish(later);
    expect(await executed).toMatchObject({ outcome: "EXECUTED" });
  });
});

describe("an order whose executor died while it was open", () => {
  it("is settled by its event: the successor sends and asks nothing", async () => {
    const entry = await rig.spend({ symbol: rig.freshSymbol() });
    entry.valid_until_ms = String((await rig.redisMs()) + 30_000);
    const window = { sinceMs: Date.now(), ms: 20_000 };
    const entryId = await dieAfterClaim(entry, "executor-dead", false, window);
    const executor = await start("executor-2", { stream: "live" });
    const [posts, queries] = [await rig.requests(POST), await rig.requests("GET /fapi/v1/order")];
    const settled = executor.next("settled", entry.plan_id);
    await rig.send(entry);
    expect(await settled).toMatchObject({ by: "event", outcome: "EXECUTED" });
    await rig.expectEnded(entry, entryId, "EXECUTED", "");
    expect(await rig.requests(POST)).toBe(posts + 1);
    expect(await rig.requests("GET /fapi/v1/order")).toBe(queries);
  });
});

describe("a plan older than Redis's last restart", () => {
  it.each([
    ["opened before it", "opened_at_ms"],
    ["opened again, but proposed before it", "proposed_ms"],
  ])("is queried and not sent: its claim may be forgotten (%s)", async (_, field) => {
    const executor = await start();
    const postedBefore = await rig.requests(POST);
    const longAgoMs = (await rig.redisMs()) - 60_000;
    const entry = await rig.spend({ symbol: rig.freshSymbol(), [field]: String(longAgoMs) });
    entry.valid_until_ms = String((await rig.redisMs()) + 100);
    const doubted = executor.next("doubted", entry.plan_id);
    const ended = executor.ended(entry);
    const entryId = await rig.publish(entry);
    expect((await doubted).doubt).toBe("claimed_before");
    await ended;
    await rig.expectEnded(entry, entryId, "NOT_PLACED", "not_placed_by_evidence");
    expect(await rig.requests(POST)).toBe(postedBefore);
  });
});

describe("a keyspace that is lost", () => {
  it("makes every plan that was proposed before it a question: the same proposal may come again", async () => {
    const executor = await start();
    const entry = await rig.spend({ symbol: rig.freshSymbol() });
    const executed = executor.ended(entry);
    await rig.publish(entry);
    expect(await executed).toMatchObject({ outcome: "EXECUTED" });
    const group = new Promise((resolve) => executor.consumer.once("group", resolve));
    await rig.redis.flushall();
    await group;

    // Opened again as a first attempt, with the same client order id.
    const again = await rig.spend({
      ...entry,
      opened_at_ms: String(await rig.redisMs()),
      proposed_ms: entry.opened_at_ms,
    });
    const ended = executor.ended(again);
    await rig.publish(again);
    expect(await ended).toMatchObject({ outcome: "EXECUTED" });
    expect(await rig.ordersOf(entry)).toHaveLength(1);
  });
});

describe("a claim inside its window", () => {
  it("is left to whoever made it", async () => {
    // The answer comes in time, and so within the window.
    const [timeoutMs, recvWindowMs] = [patienceMs(3_000), patienceMs(4_000)];
    const executor = await start("executor-1", { timeoutMs, recvWindowMs });
    const entry = await rig.spend({ symbol: rig.freshSymbol() });
    await rig.fault({ kind: "latency", ms: 200 });
    const claimed = executor.next("claimed", entry.plan_id);
    const ended = executor.ended(entry);
    await rig.publish(entry);
    await claimed;
    executor.resolver.wake();
    expect(await ended).toMatchObject({ outcome: "EXECUTED" });
    expect(await rig.redis.hget(rig.keys.order(entry.plan_id), "why")).toBeNull();
  });
});

describe("a rate limit", () => {
  it.each(["429", "418"] as const)(
    "%s: that order and those of the pause end NOT_PLACED, unsent",
    async (kind) => {
      const executor = await start();
      await rig.fault({ kind, ms: 60_000 });
      for (const symbol of [rig.freshSymbol(), rig.freshSymbol()]) {
        const entry = await rig.spend({ symbol });
        const ended = executor.ended(entry);
        const entryId = await rig.publish(entry);
        await ended;
        await rig.expectEnded(entry, entryId, "NOT_PLACED", "rate_limited");
      }
      expect(await rig.requests(POST)).toBe(1);
    },
  );
});

describe("two executors", () => {
  it("share the entries: one order and one result each, faults or not (I1, I3)", async () => {
    const executors = await Promise.all([start("executor-1"), start("executor-2")]);
    const symbols = Array.from({ length: 10 }, () => rig.freshSymbol());
    for (const kind of ["503_after", "reset", "late_ack", "partial_fill"] as const) {
      await rig.fault({ kind, count: 3, ms: 100 });
    }
    const entries: Spent[] = [];
    for (let i = 0; i < 40; i += 1) entries.push(await rig.spend({ symbol: symbols[i % 10] ?? "" }));
    const ended = entries.map((entry) => Promise.race(executors.map((executor) => executor.ended(entry))));
    const entryIds = await Promise.all(entries.map((entry) => rig.publish(entry)));
    await Promise.all(ended);
    for (const [i, entry] of entries.entries()) {
      await rig.expectEnded(entry, entryIds[i] ?? "", "EXECUTED", "");
      expect(await rig.ordersOf(entry)).toHaveLength(1);
    }
    expect(await rig.requests(POST)).toBe(entries.length);
  });
});
