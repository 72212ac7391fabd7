/** Orders that were sent, and of which a Redis that has lost its memory knows nothing: neither claim nor plan nor entry. */
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { haltKeys } from "@quantum/permits";
import { bindScript } from "@quantum/redis";
import { type Rig, type Spent, startRig } from "./rig.fixture.ts";

const POST = "POST /fapi/v1/order";
const WITHIN_MS = 20_000;
const openScript = bindScript("plans/open");

let rig: Rig;
beforeEach(async () => {
  rig = await startRig({ partitions: 3 });
});
afterEach(() => rig.stop());

type Executor = Awaited<ReturnType<Rig["executor"]>>;

async function start(): Promise<Executor> {
  const executor = await rig.executor();
  onTestFinished(() => executor.stop());
  return executor;
}

/** Whatever is done meanwhile is in no snapshot that Redis starts from. */
async function forgetting<T>(act: () => Promise<T>): Promise<T> {
  await rig.redis.save();
  const done = await act();
  await rig.server.kill();
  await rig.server.restart();
  return done;
}

async function send(executor: Executor, entry: Spent): Promise<void> {
  const settled = executor.next("settled", entry.plan_id);
  await rig.publish(entry);
  await settled;
}

async function expectResult(entry: Spent, outcome: string, orders: number): Promise<void> {
  const { keys, redis } = rig.placeOf(entry.symbol);
  expect(await redis.hgetall(keys.order(entry.plan_id))).toMatchObject({
    question: "1",
    symbol: entry.symbol,
  });
  expect(await redis.exists(keys.plan(entry.plan_id), keys.unsettled(entry.symbol))).toBe(0);
  expect(await rig.results(entry.plan_id)).toEqual([
    expect.objectContaining({
      outcome,
      attempt: entry.attempt,
      executed: outcome === "EXECUTED" ? "True" : "False",
    }),
  ]);
  expect(await rig.ordersOf(entry)).toHaveLength(orders);
}

/** As an apply-layer does that reads the plan's proposal again. @returns the answer's word */
async function propose({ plan_id: planId, symbol }: Spent, maxAgeMs: string): Promise<string> {
  const { keys, redis } = rig.placeOf(symbol);
  const [status = ""] = await openScript(redis, {
    keys: {
      plan: keys.plan(planId),
      dedupe: keys.dedupe(planId),
      published: keys.published(planId),
      spent: keys.spent(planId),
      order: keys.order(planId),
      waiting: keys.waiting(symbol),
      symbols: keys.waitingSymbols,
      plans: keys.streams.plan,
      results: keys.streams.result,
      ...haltKeys(redis, keys),
    },
    restKeys: [],
    args: {
      plan_id: planId,
      symbol,
      decision: "EXECUTE",
      reason: "",
      mode: "paper",
      wait_ms: "5000",
      dedupe_sec: "60",
      published_sec: "60",
      record_sec: "60",
      step: "CLOSE_FULL",
      close_pct: "100",
      proposed_ms: "",
      fresh_ms: "1",
      max_age_ms: maxAgeMs,
    },
    restArgs: ["plan_id", planId, "decision", "", "reason_codes", "", "timestamp", ""],
  });
  return status;
}

describe.each([
  ["was filled", undefined, "EXECUTED", 1],
  ["never arrived", { kind: "503_before" }, "NOT_PLACED", 0],
] as const)("an order that %s, and that Redis has forgotten with its plan", (_, fault, outcome, count) => {
  async function sent(executor: Executor): Promise<Spent> {
    const entry = await rig.spend({ symbol: rig.freshSymbol(1) });
    if (fault !== undefined) await rig.fault({ ...fault, symbol: entry.symbol });
    await send(executor, entry);
    return entry;
  }

  it("is queried by the executor that sent it: one outcome, and no other order", async () => {
    const executor = await start();
    const settled = Promise.withResolvers<unknown>();
    const entry = await forgetting(async () => {
      const one = await sent(executor);
      executor.events.on("settled", settled.resolve);
      return one;
    });
    expect(await settled.promise).toMatchObject({ planId: entry.plan_id, outcome });
    const posted = await rig.requests(POST);
    await expectResult(entry, outcome, count);
    // Another loss, of nothing.
    await rig.placeOf(entry.symbol).redis.del(rig.keysOf(entry.symbol).orderEpoch);
    await executor.partitions.of(entry.symbol).handovers.sweep();
    await expectResult(entry, outcome, count);
    expect(await rig.requests(POST)).toBe(posted);
  });

  it("is queried at the start of the executor, if that was away", async () => {
    const first = await rig.executor();
    const entry = await forgetting(async () => {
      const one = await sent(first);
      await first.stop();
      return one;
    });
    const executor = await start();
    const results = async () => (await rig.results(entry.plan_id)).length;
    await expect.poll(results, { timeout: WITHIN_MS }).toBe(1);
    await expectResult(entry, outcome, count);
    await executor.partitions.of(entry.symbol).handovers.sweep();
    await expectResult(entry, outcome, count);
  });

  it.each([
    ["late", "0"],
    ["in time", String(Number.MAX_SAFE_INTEGER)],
  ])(
    "is not opened again by its proposal that comes %s: no second result, no second order",
    async (_when, maxAgeMs) => {
      const executor = await start();
      const settled = Promise.withResolvers<unknown>();
      const entry = await forgetting(async () => {
        const one = await sent(executor);
        executor.events.on("settled", settled.resolve);
        return one;
      });
      const asked = async () =>
        await rig.placeOf(entry.symbol).redis.exists(rig.keysOf(entry.symbol).order(entry.plan_id));
      await expect.poll(asked, { timeout: WITHIN_MS }).toBe(1);
      expect(await propose(entry, maxAgeMs)).toBe("DUPLICATE");
      await settled.promise;
      expect(await propose(entry, maxAgeMs)).toBe("DUPLICATE");
      await expectResult(entry, outcome, count);
    },
  );
});

it("its attempt that was blocked before it was queried has its result corrected by the fill, once", async () => {
  const executor = await start();
  const symbol = rig.freshSymbol(2);
  const { keys, redis } = rig.placeOf(symbol);
  const corrected = Promise.withResolvers<unknown>();
  executor.events.on("corrected", corrected.resolve);
  const entry = await rig.spend({ symbol });
  await send(executor, entry);
  // What a replica may have: the plan still waits, and an apply-layer ends it before the executor is there.
  await redis.del(keys.order(entry.plan_id), keys.spent(entry.plan_id), keys.handedOver, keys.streams.result);
  const endedMs = await rig.redisMs();
  await redis.hset(keys.plan(entry.plan_id), {
    state: "BLOCKED",
    reason: "missing_both",
    ended_at_ms: endedMs,
  });
  const blocked = { plan_id: entry.plan_id, attempt: entry.attempt, outcome: "BLOCKED" };
  const resultId = await redis.xadd(keys.streams.result, `${endedMs}-3`, ...Object.entries(blocked).flat());
  await redis.del(keys.orderEpoch);
  await executor.partitions.of(symbol).handovers.sweep();
  expect(await corrected.promise).toMatchObject({ planId: entry.plan_id, corrects: resultId });
  await executor.partitions.of(symbol).handovers.sweep();
  expect(await rig.results(entry.plan_id)).toEqual([
    expect.objectContaining(blocked),
    expect.objectContaining({ outcome: "EXECUTED", corrects: resultId, attempt: entry.attempt }),
  ]);
  expect(await rig.ordersOf(entry)).toHaveLength(1);
});
