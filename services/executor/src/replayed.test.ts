/** An entry that comes again although Redis knows nothing of its order any more: somebody has deleted what it knew. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { Journal } from "./journal.ts";
import { type Rig, type Spent, startRig } from "./rig.fixture.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

type Executor = Awaited<ReturnType<Rig["executor"]>>;

async function start(options: Parameters<Rig["executor"]>[0]): Promise<Executor> {
  const executor = await rig.executor(options);
  onTestFinished(() => executor.stop());
  return executor;
}

/** Proposed late enough that a young Redis is not suspected of having forgotten it. */
async function spend(over: Partial<Spent> = {}): Promise<Spent> {
  const proposed_ms = String((await rig.redisMs()) + 3_000);
  return rig.spend({ symbol: rig.freshSymbol(), proposed_ms, ...over });
}

async function executed(executor: Executor): Promise<Spent> {
  const entry = await spend();
  const ended = executor.ended(entry);
  await rig.publish(entry);
  expect(await ended).toMatchObject({ outcome: "EXECUTED" });
  return entry;
}

/** With genuine permits, by somebody who may write everything to Redis. */
async function replay(entry: Spent): Promise<void> {
  const { redis, keys } = rig;
  const { plan_id: planId, symbol, attempt } = entry;
  await redis.del(keys.order(planId), keys.plan(planId), keys.spent(planId), keys.unsettled(symbol));
  await redis.hdel(keys.handedOver, planId);
  const again = { ...entry, valid_until_ms: String((await rig.redisMs()) + 5_000) };
  await redis.set(keys.spent(planId), `OK ${attempt} ${await rig.redisMs()} ${entry["safe_qty"]}`);
  await rig.publish(again);
}

/** @returns how many orders there are then */
async function ordersAfterReplay(executor: Executor, entry: Spent): Promise<number> {
  const doubted = executor.next("doubted", entry.plan_id);
  const ended = executor.ended(entry);
  await replay(entry);
  expect(await Promise.race([doubted, ended])).toMatchObject({ doubt: "claimed_before" });
  expect(await ended).toMatchObject({ outcome: "EXECUTED" });
  return (await rig.ordersOf(entry)).length;
}

describe("a replayed entry is only queried", () => {
  it("by the executor that sent its order", async () => {
    const executor = await start({ consumer: "same" });
    expect(await ordersAfterReplay(executor, await executed(executor))).toBe(1);
  });

  it("by the same executor after a restart", async () => {
    const before = await start({ consumer: "restarted" });
    const entry = await executed(before);
    await before.stop();
    const after = await start({ consumer: "restarted" });
    expect(await ordersAfterReplay(after, entry)).toBe(1);
  });

  it("by one whose journal was created after its permits were issued", async () => {
    const before = await start({ consumer: "before" });
    const entry = await executed(before);
    await before.stop();
    const folder = rig.stateFolder("after");
    await (await Journal.open({ folder, partitions: 1, redisNowMs: () => Date.now() })).close();
    const after = await start({ consumer: "after" });
    expect(await ordersAfterReplay(after, entry)).toBe(1);
  });

  it("by one that has taken the orders over from another one since", async () => {
    const before = await start({ consumer: "first" });
    const entry = await executed(before);
    await before.stop();
    const after = await start({ consumer: "second", ownerSinceMs: Date.now() });
    expect(await ordersAfterReplay(after, entry)).toBe(1);
  });
});

describe("another attempt of a plan that was sent", () => {
  it("is only queried, although its permits are new", async () => {
    const executor = await start({ consumer: "attempts" });
    const first = await executed(executor);
    const { redis, keys } = rig;
    await redis.del(keys.order(first.plan_id), keys.plan(first.plan_id));
    const second = await spend({ symbol: first.symbol, plan_id: first.plan_id });
    const happened = Promise.race([executor.next("doubted", first.plan_id), executor.ended(first)]);
    await rig.publish(second);
    expect(await happened).toMatchObject({ doubt: "claimed_before" });
    expect(await rig.ordersOf(first)).toHaveLength(1);
  });
});

describe("an order that cannot be recorded", () => {
  it("is not sent, and ends at once", async () => {
    const executor = await start({ consumer: "full" });
    await executor.journal.close();
    const ends: unknown[] = [];
    for (const reason of ["claimed", "refused"]) {
      const entry = await rig.spend({ symbol: rig.freshSymbol() });
      const ended = executor.ended(entry);
      await rig.publish(entry);
      ends.push([reason, (await ended).reason]);
      expect(await rig.ordersOf(entry)).toEqual([]);
    }
    expect(ends).toEqual([
      ["claimed", "journal_failed"],
      ["refused", "journal_failed"],
    ]);
  });
});

describe("an executor that does not own the orders", () => {
  it.each<[string, number | undefined]>([
    ["and knows it", undefined],
    ["and does not know it yet", 1],
  ])("%s leaves the entry pending, and changes nothing else", async (_, ownerSinceMs) => {
    const { redis, keys } = rig;
    const executor = await start({ consumer: `other-${ownerSinceMs}`, ownerSinceMs });
    const entry = await rig.spend({ symbol: rig.freshSymbol() });
    const handled = new Promise((resolve) => executor.consumer.once("handled", resolve));
    await redis.hset(keys.orderOwner, "instance", "another");
    await redis.xadd(keys.streams.execute, "*", ...Object.entries(entry).flat());
    expect(await handled).toMatchObject({ disposition: { kind: "retry" } });
    expect(await redis.exists(keys.order(entry.plan_id), keys.unsettled(entry.symbol))).toBe(0);
    expect(await rig.results(entry.plan_id)).toEqual([]);
    expect(await rig.ordersOf(entry)).toEqual([]);
    await redis.xtrim(keys.streams.execute, "MAXLEN", 0);
  });
});
