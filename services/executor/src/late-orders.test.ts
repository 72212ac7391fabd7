/** An order that ended by absence and is found later is corrected once, whichever of its keys is lost in between. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Rig, type Spent, startRig } from "./rig.fixture.ts";

const KEYS = [
  ...(["order", "plan", "absent", "absentClaims", "orderSymbols", "spent", "orderEpoch"] as const),
];
const WAYS = ["deleted", "of the wrong type"] as const;
const CASES = KEYS.flatMap((name) => WAYS.map((way) => ({ name, way })));

let rig: Rig;
let sweeper: Awaited<ReturnType<Rig["executor"]>>;
const ended = new Map<string, Spent>();

beforeAll(async () => {
  rig = await startRig();
  sweeper = await rig.executor();
  await Promise.all(
    [...CASES, { name: "copy", way: "and order" }].map(async ({ name, way }) => {
      const symbol = rig.freshSymbol();
      await rig.fault({ kind: "503_before", symbol });
      const entry = await rig.spend({ symbol });
      const settled = sweeper.next("settled", entry.plan_id);
      await rig.publish(entry);
      await settled;
      ended.set(`${name} ${way}`, entry);
    }),
  );
});
afterAll(async () => {
  await sweeper.stop();
  await rig.stop();
});

const entryOf = (name: string, way: string): Spent => {
  const entry = ended.get(`${name} ${way}`);
  if (entry === undefined) throw new Error("it has not ended");
  return entry;
};

function keyOf(name: (typeof KEYS)[number], { plan_id: planId, symbol }: Spent): string {
  const key = rig.keys[name];
  if (typeof key === "string") return key;
  return key(name === "absent" ? symbol : planId);
}

async function damage(key: string, way: string): Promise<void> {
  await rig.redis.del(key);
  if (way !== "deleted") await rig.redis.lpush(key, "vandal");
}

describe("an order that ended by absence and shows up", () => {
  it.each(CASES)("is corrected once with $name $way", async ({ name, way }) => {
    const entry = entryOf(name, way);
    const { redis, keys } = rig;
    await redis.hdel(keys.order(entry.plan_id), "next_ask_at_ms", "asked");
    await damage(keyOf(name, entry), way);
    await rig.send(entry);
    await sweeper.handovers.sweep();
    const executor = await rig.executor({ consumer: "executor-2" });
    await expect.poll(() => rig.results(entry.plan_id), { timeout: 10_000 }).toHaveLength(2);
    await executor.stop();
    await expectCorrectedOnce(entry);

    // Not corrected again, even after a restart without the keys that recorded the correction.
    await redis.del(keys.order(entry.plan_id), keys.plan(entry.plan_id));
    const restarted = await rig.executor({ consumer: "executor-3" });
    await restarted.handovers.sweep();
    expect(await restarted.queries.list()).not.toContainEqual(
      expect.objectContaining({ planId: entry.plan_id }),
    );
    await restarted.stop();
    await expectCorrectedOnce(entry);
  });

  it("is given up, and said so, without its order key and the copy", async () => {
    const { redis, keys } = rig;
    const entry = entryOf("copy", "and order");
    await redis.hset(keys.absentClaims, entry.plan_id, "[]");
    await damage(keys.order(entry.plan_id), "of the wrong type");
    const failures: string[] = [];
    sweeper.events.on("failed", ({ doing }) => void failures.push(doing));
    await sweeper.handovers.sweep();
    expect(failures).toEqual(
      expect.arrayContaining([
        `read the copy of the claim of plan ${entry.plan_id}`,
        `look after the late order of plan ${entry.plan_id}`,
      ]),
    );
    expect(await redis.exists(keys.absent(entry.symbol))).toBe(0);
  });
});

async function expectCorrectedOnce(entry: Spent): Promise<void> {
  const [first, second, ...more] = await rig.results(entry.plan_id);
  expect(more).toEqual([]);
  expect(first).toMatchObject({ outcome: "NOT_PLACED", error: "not_placed_by_evidence" });
  expect(second).toMatchObject({ outcome: "EXECUTED", executed_qty: "0.010", attempt: entry.attempt });
  expect(second?.["corrects"]).toMatch(/^\d+-\d+$/);
  expect(await rig.ordersOf(entry)).toHaveLength(1);
  expect(await rig.redis.hexists(rig.keys.absentClaims, entry.plan_id)).toBe(0);
}
