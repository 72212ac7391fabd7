/** lua/operator/reset: every reply, what it forgets, and what it leaves alone; and which plans are found, in one partition and in three. */
import { createKeys } from "@quantum/contract";
import { useRedis } from "@quantum/harness/vitest";
import { beforeEach, describe, expect, it } from "vitest";
import { BY, keys, planIdOf } from "./access.fixture.ts";
import { type OpenAccess, withAccess } from "./access.ts";
import { findResettable, reset, resetEach } from "./reset.ts";

const PLAN = planIdOf(1);
const ATTEMPT = "1769301008977-0";
const { redis, server } = await useRedis();
const audited = () => redis.xlen(keys.streams.operatorAudit);
beforeEach(async () => {
  await redis.flushall();
});

async function plan(record: Record<string, string>, spent: string, order: Record<string, string>) {
  await redis.set(keys.dedupe(PLAN), "1769301008");
  await redis.set(keys.published(PLAN), "1");
  await redis.hset(keys.plan(PLAN), { symbol: "BTCUSDT", ...record });
  if (spent !== "") await redis.set(keys.spent(PLAN), spent);
  if (Object.keys(order).length > 0) await redis.hset(keys.order(PLAN), { attempt: ATTEMPT, ...order });
}

describe("reset", () => {
  it.each([
    ["has an order", { state: "EXECUTED" }, `OK ${ATTEMPT} 1 0.1`, { state: "EXECUTED" }],
    ["has an order in doubt", { state: "UNKNOWN" }, `OK ${ATTEMPT} 1 0.1`, { state: "UNKNOWN" }],
    ["has spent its permits", { state: "PERMITTED" }, `OK ${ATTEMPT} 1 0.1`, {}],
    [
      "was claimed, though evidence says it was not placed",
      { state: "NOT_PLACED" },
      `OK ${ATTEMPT} 1 0.1`,
      { state: "NOT_PLACED", client_order_id: `qp-${PLAN}-1` },
    ],
  ])("leaves a plan alone that %s", async (_, record, spent, order) => {
    await plan(record, spent, order);
    const before = await redis.keys("*");
    expect(await reset({ redis, keys }, PLAN, BY)).toEqual({ kind: "order" });
    expect((await redis.keys("*")).toSorted()).toEqual(before.toSorted());
  });

  it.each([
    ["waits", { state: "WAITING" }, "", {}],
    ["was blocked", { state: "BLOCKED" }, "", {}],
    ["was a dry run", { state: "DRY_RUN" }, `DRY_RUN ${ATTEMPT} 1 0.1`, {}],
    ["was refused before its claim", { state: "NOT_PLACED" }, `OK ${ATTEMPT} 1 0.1`, { state: "NOT_PLACED" }],
  ])("forgets a plan that %s, and nothing else", async (_, record, spent, order) => {
    await plan(record, spent, order);
    const found = { kind: "reset", state: record.state };
    const before = await redis.keys("*");
    expect(await reset({ redis, keys }, PLAN)).toEqual(found);
    expect((await redis.keys("*")).toSorted()).toEqual(before.toSorted());

    expect(await reset({ redis, keys }, PLAN, BY)).toEqual(found);
    const gone = new Set([keys.dedupe(PLAN), keys.published(PLAN), keys.plan(PLAN)]);
    const left = before.filter((key) => !gone.has(key));
    expect((await redis.keys("*")).toSorted()).toEqual([...left, keys.streams.operatorAudit].toSorted());
    const [entry] = await redis.xrange(keys.streams.operatorAudit, "-", "+");
    expect(entry?.[1].slice(0, 8)).toEqual([
      "action",
      "reset",
      "target",
      PLAN,
      "who",
      BY.who,
      "reason",
      BY.reason,
    ]);
    expect(await reset({ redis, keys }, PLAN, BY)).toEqual({ kind: "free" });
    expect(await audited()).toBe(1);
  });

  it.each(["dedupe", "published", "plan"] as const)("forgets what is left of one: %s", async (name) => {
    await redis.set(keys[name](PLAN), "x");
    expect(await reset({ redis, keys }, PLAN, BY)).toEqual({ kind: "reset", state: "unknown" });
    expect(await redis.exists(keys[name](PLAN))).toBe(0);
  });
});

describe.each([1, 3])("plans in %i partitions", (count) => {
  const keysOf = (partition: number) => createKeys(count === 1 ? {} : { partition });
  const withAll = <T>(work: (access: OpenAccess) => Promise<T>) =>
    withAccess({ url: server.url, name: "test" }, work);
  const shown = (found: Awaited<ReturnType<typeof findResettable>>) =>
    new Map(found.map(({ planId, partition, found: { kind } }) => [planId, `${partition.number} ${kind}`]));

  it("are found and reset where they are", async () => {
    if (count > 1) await redis.set(keys.partitions, count);
    for (let n = 0; n < count; n += 1) {
      await redis.hset(keysOf(n).plan(planIdOf(10 + n)), { state: "BLOCKED" });
      await redis.set(keysOf(n).dedupe(planIdOf(20 + n)), "1");
      await redis.hset(keysOf(n).plan(planIdOf(30 + n)), { state: "EXECUTED" });
      await redis.hset(keysOf(n).order(planIdOf(30 + n)), { state: "EXECUTED", attempt: ATTEMPT });
      await redis.sadd(keysOf(n).waitingSymbols, "BTCUSDT");
    }
    // Its order is in the last one, and a mark of it in the first.
    const split = planIdOf(90);
    await redis.set(keysOf(0).dedupe(split), "1");
    await redis.hset(keysOf(count - 1).order(split), { state: "SENT", attempt: ATTEMPT });
    await redis.hset(keysOf(count - 1).plan(split), { state: "SENT" });
    const due = Array.from({ length: count }, (_, n) => [
      [planIdOf(10 + n), `${n} reset`],
      [planIdOf(20 + n), `${n} reset`],
    ]).flat() as [string, string][];
    await withAll(async (access) => {
      const all = await findResettable(access);
      expect(shown(all)).toEqual(new Map(due));
      const named = [planIdOf(10), planIdOf(30), planIdOf(50)];
      expect([...shown(await findResettable(access, named))]).toEqual([
        [planIdOf(10), "0 reset"],
        [planIdOf(30), "0 order"],
      ]);
      expect([...shown(await findResettable(access, [split]))]).toEqual([[split, `${count - 1} order`]]);
      expect(shown(await resetEach(all, BY))).toEqual(new Map(due));
      expect(await findResettable(access)).toEqual([]);
    });
    for (let n = 0; n < count; n += 1) {
      expect(await redis.exists(keysOf(n).plan(planIdOf(30 + n)))).toBe(1);
      expect(await redis.xlen(keysOf(n).streams.operatorAudit)).toBe(2);
    }
  });
});
