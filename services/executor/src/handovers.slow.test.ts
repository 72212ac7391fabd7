/** A plan whose permits are spent ends, whichever of its keys and entries is lost. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { eventually, startRedisServer } from "@quantum/harness";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Rig, type Spent, startRig } from "./rig.fixture.ts";

const POST = "POST /fapi/v1/order";

let rig: Rig;
let executor: Awaited<ReturnType<Rig["executor"]>>;

beforeAll(async () => {
  rig = await startRig();
  executor = await rig.executor();
});
afterAll(async () => {
  await executor.stop();
  await rig.stop();
});

/** Spent so long ago that it can no longer be claimed. */
async function spendLate(over: Partial<Spent> = {}): Promise<Spent> {
  const nowMs = await rig.redisMs();
  return rig.spend({ symbol: rig.freshSymbol(), valid_until_ms: String(nowMs - 60_000), ...over });
}

/** Handed over, but its entry was lost before the executor received it. */
async function lose(entry: Spent): Promise<string> {
  const { redis, keys } = rig;
  const text = JSON.stringify(Object.entries({ ...entry, entry_id: "1-1" }).flat());
  await redis.hset(keys.handedOver, entry.plan_id, text);
  return "1-1";
}

/** UNKNOWN for as long as the exchange's answers are ambiguous. */
async function doubted(): Promise<{ entry: Spent; entryId: string }> {
  const entry = await rig.spend({ symbol: rig.freshSymbol() });
  await rig.fault({ kind: "503_after", symbol: entry.symbol });
  await rig.fault({ kind: "503_before", path: "GET /fapi/v1/order", symbol: entry.symbol, count: 5 });
  const doubt = executor.next("doubted", entry.plan_id);
  const entryId = await rig.publish(entry);
  await doubt;
  return { entry, entryId };
}

describe("a handover whose entry is lost", () => {
  it("ends NOT_PLACED, and its entry finds that when it comes late", async () => {
    const entry = await spendLate();
    const entryId = await lose(entry);
    const sent = await rig.requests(POST);
    await executor.handovers.sweep();
    await rig.expectEnded(entry, entryId, "NOT_PLACED", "handover_lost");

    const late = await rig.redis.xadd(rig.keys.streams.execute, "*", ...Object.entries(entry).flat());
    await expect
      .poll(() => rig.redis.xinfo("GROUPS", rig.keys.streams.execute))
      .toMatchObject([expect.arrayContaining([late])]);
    await executor.handovers.sweep();
    await rig.expectEnded(entry, late ?? "", "NOT_PLACED", "handover_lost");
    expect(await rig.requests(POST)).toBe(sent);
  });

  it("ends at once if it may be claimed until a future that nobody grants: Redis's clock has stepped back", async () => {
    const entry = await spendLate({ valid_until_ms: String((await rig.redisMs()) + 3_600_000) });
    const entryId = await lose(entry);
    await executor.handovers.sweep();
    await rig.expectEnded(entry, entryId, "NOT_PLACED", "handover_lost");
    expect(await rig.redis.hexists(rig.keys.handedOver, entry.plan_id)).toBe(0);
  });

  it("is left alone while it may still be claimed", async () => {
    const entry = await rig.spend({ symbol: rig.freshSymbol() });
    await lose(entry);
    await executor.handovers.sweep();
    expect(await rig.results(entry.plan_id)).toEqual([]);
    expect(await rig.redis.hget(rig.keys.plan(entry.plan_id), "state")).toBe("PERMITTED");
    await rig.redis.hdel(rig.keys.handedOver, entry.plan_id);
  });

  it.each(["plan", "spent"] as const)("ends without its %s key, too", async (name) => {
    const entry = await spendLate();
    await lose(entry);
    await rig.redis.del(rig.keys[name](entry.plan_id));
    await executor.handovers.sweep();
    expect(await rig.results(entry.plan_id)).toMatchObject([
      { outcome: "NOT_PLACED", error: "handover_lost" },
    ]);
    expect(await rig.redis.hget(rig.keys.order(entry.plan_id), "state")).toBe("NOT_PLACED");
  });
});

describe("an order in doubt", () => {
  it.each(["order", "spent", "plan"] as const)(
    "whose %s key is deleted is settled by the exchange",
    async (name) => {
      const { entry, entryId } = await doubted();
      await rig.redis.del(rig.keys[name](entry.plan_id));
      const settled = executor.next("settled", entry.plan_id);
      await endWith(settled);
      expect(await rig.results(entry.plan_id)).toMatchObject([{ outcome: "EXECUTED", error: "" }]);
      expect(await rig.ordersOf(entry)).toHaveLength(1);
      if (name === "spent") await rig.expectEnded(entry, entryId, "EXECUTED", "");
    },
  );
});

describe("indexes", () => {
  it.each([
    ["deleted", async (key: string) => void (await rig.redis.del(key))],
    [
      "of the wrong type",
      async (key: string) => void (await rig.redis.multi().del(key).lpush(key, "x").exec()),
    ],
  ])("that are %s are derived from the claim and from one another", async (_, damage) => {
    const { entry, entryId } = await doubted();
    const { redis, keys } = rig;
    const { symbol, plan_id: planId } = entry;
    for (const key of [keys.unsettled(symbol), keys.unknown(symbol), keys.orderSymbols, keys.handedOver]) {
      await damage(key);
      await executor.handovers.sweep();
      expect(await redis.smembers(keys.orderSymbols)).toContain(symbol);
      expect(await redis.smembers(keys.unknown(symbol))).toEqual([planId]);
      const claimedAt = await redis.hget(keys.order(planId), "claimed_at_ms");
      expect(await redis.zscore(keys.unsettled(symbol), planId)).toBe(claimedAt);
    }
    await damage(keys.plan(planId));
    await endWith(executor.next("settled", planId));
    expect(await redis.hgetall(keys.order(planId))).toMatchObject({ state: "EXECUTED" });
    expect(await rig.results(planId)).toMatchObject([{ outcome: "EXECUTED" }]);
    expect(await redis.xpending(keys.streams.execute, "executor", entryId, entryId, 1)).toEqual([]);
  });

  it("forget what has ended, and what nothing is known of", async () => {
    const { redis, keys } = rig;
    const symbol = rig.freshSymbol();
    const [ended, unheardOf] = ["e".repeat(16), "f".repeat(16)];
    await redis.hset(keys.order(ended), { state: "EXECUTED", attempt: "1-0" });
    for (const planId of [ended, unheardOf]) {
      await redis.zadd(keys.unsettled(symbol), 1, planId);
      await redis.sadd(keys.unknown(symbol), planId);
    }
    await redis.sadd(keys.orderSymbols, symbol);
    await executor.handovers.sweep();
    expect(await redis.exists(keys.unsettled(symbol), keys.unknown(symbol))).toBe(0);
  });
});

describe("a Redis that may have forgotten a claim", () => {
  it("is queried where Redis may have forgotten a claim of it: it was sent", async () => {
    const entry = await spendLate({ opened_at_ms: "1", proposed_ms: "1" });
    await rig.redis.del(rig.keys.orderEpoch);
    await lose(entry);
    const doubt = executor.next("doubted", entry.plan_id);
    await executor.handovers.sweep();
    expect(await doubt).toMatchObject({ doubt: "claimed_before" });
    expect(await rig.redis.hget(rig.keys.order(entry.plan_id), "client_order_id")).toBe(
      `qp-${entry.plan_id}-1`,
    );
  });
});

/** Sweeps until it has happened, because queries come after the window. */
async function endWith(happened: Promise<unknown>): Promise<void> {
  let isOver = false;
  void happened.then(() => (isOver = true));
  await expect
    .poll(
      async () => {
        await executor.handovers.sweep();
        return isOver;
      },
      { timeout: 20_000, interval: 200 },
    )
    .toBe(true);
}

it("a lost handover ends by evidence where Redis has another replication id on the same connection, as a first replica brings", async () => {
  const entry = await spendLate();
  const entryId = await lose(entry);
  await rig.redis.config("SET", "repl-diskless-sync-delay", "0");
  const replica = await startRedisServer({ config: { replicaof: `127.0.0.1 ${rig.server.port}` } });
  onTestFinished(() => replica.stop());
  await eventually(
    async () => (await rig.redis.info("replication")).includes("state=online") || undefined,
    10_000,
    "a replica that follows",
  );
  const sent = await rig.requests(POST);
  await executor.handovers.sweep();
  expect(await rig.results(entry.plan_id)).toEqual([]);
  const settled = executor.next("settled", entry.plan_id);
  await executor.handovers.sweep();
  await settled;
  await rig.expectEnded(entry, entryId, "NOT_PLACED", "not_placed_by_evidence");
  expect(await rig.requests(POST)).toBe(sent);
});

it("of the sweep's commands that a lost connection fails, none is left to end the process", async () => {
  const { redis } = executor;
  await rig.redis.sadd(rig.keys.orderSymbols, rig.freshSymbol());
  const symbols = await redis.smembers(rig.keys.orderSymbols);
  const lost = () => Promise.reject(new Error("Connection is closed."));
  onTestFinished(() => {
    for (const name of ["zrange", "smembers"]) Reflect.deleteProperty(redis, name);
  });
  // Not spies: those look at what they return, and so no rejection is ever left to nobody.
  const failing = (key: string) => (key === rig.keys.orderSymbols ? Promise.resolve(symbols) : lost());
  Object.assign(redis, { zrange: lost, smembers: failing });
  const unhandled: unknown[] = [];
  const note = (error: unknown) => void unhandled.push(error);
  process.on("unhandledRejection", note);
  onTestFinished(() => void process.off("unhandledRejection", note));
  await expect(executor.handovers.sweep()).rejects.toThrow("Connection is closed.");
  await nextTurn();
  expect(unhandled).toEqual([]);
});
