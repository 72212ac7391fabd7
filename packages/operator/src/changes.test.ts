/** What each change leaves alone, on a Redis without a pipeline. */
import { createKeys } from "@quantum/contract";
import { useRedis } from "@quantum/harness/vitest";
import { readKillSwitch } from "@quantum/service-kit";
import { beforeEach, describe, expect, it } from "vitest";
import { clearDisarm, drop, endDoubt, force, requeue, resumeExchange, setKillSwitch } from "./changes.ts";
import { readPauses } from "./pauses.ts";

const keys = createKeys();
const PLAN = "67e6da21fa9fe506";
const ATTEMPT = "1769301008977-0";
const BY = { who: "ann@desk", reason: "a drill" };

const { redis } = await useRedis();
beforeEach(async () => {
  await redis.flushall();
});

const audited = () => redis.xlen(keys.streams.operatorAudit);

describe("the kill switch", () => {
  it.each(["1", "", " ", "on", "0x0", "0 1", "\u0000"])(
    "is turned off whatever it holds: %j halts like any other text",
    async (text) => {
      await redis.set(keys.killSwitch, text);
      expect((await readKillSwitch(redis, keys)).on).toBe(true);
      expect(await setKillSwitch({ redis, keys }, false, BY)).toBe(true);
      expect([await redis.exists(keys.killSwitch), await audited()]).toEqual([0, 1]);
      expect(await setKillSwitch({ redis, keys }, false, BY)).toBe(false);
      expect([await redis.exists(keys.killSwitch), await audited()]).toEqual([0, 1]);
    },
  );
});

describe("force", () => {
  const taken = () => redis.set(keys.dedupe(PLAN), "1769301008");

  it.each([
    ["waits", { state: "WAITING" }, "", {}, "waiting"],
    ["has an order", { state: "EXECUTED" }, `OK ${ATTEMPT} 1 0.1`, { state: "EXECUTED" }, "order"],
    ["has an order in doubt, after a reset", {}, `OK ${ATTEMPT} 1 0.1`, { state: "UNKNOWN" }, "order"],
    ["has spent its permits", { state: "PERMITTED" }, `OK ${ATTEMPT} 1 0.1`, {}, "order"],
    [
      "was claimed, though evidence says it was not placed",
      { state: "NOT_PLACED" },
      `OK ${ATTEMPT} 1 0.1`,
      { state: "NOT_PLACED", client_order_id: `qp-${PLAN}-1` },
      "order",
    ],
  ])("leaves a plan alone that %s", async (_, record, spent, order, kind) => {
    await taken();
    await redis.hset(keys.plan(PLAN), { symbol: "BTCUSDT", ...record });
    if (spent !== "") await redis.set(keys.spent(PLAN), spent);
    if (Object.keys(order).length > 0) await redis.hset(keys.order(PLAN), { attempt: ATTEMPT, ...order });
    expect(await force({ redis, keys }, PLAN, BY)).toEqual({ kind });
    expect(await redis.exists(keys.dedupe(PLAN))).toBe(1);
    expect(await audited()).toBe(0);
  });

  it.each([
    ["was blocked", { state: "BLOCKED" }, "", {}],
    ["was a dry run", { state: "DRY_RUN" }, `DRY_RUN ${ATTEMPT} 1 0.1`, {}],
    ["was refused before its claim", { state: "NOT_PLACED" }, `OK ${ATTEMPT} 1 0.1`, { state: "NOT_PLACED" }],
  ])("frees a plan that %s, and nothing but its marks goes", async (_, record, spent, order) => {
    await taken();
    await redis.set(keys.published(PLAN), "1");
    await redis.hset(keys.plan(PLAN), record);
    if (spent !== "") await redis.set(keys.spent(PLAN), spent);
    if (Object.keys(order).length > 0) await redis.hset(keys.order(PLAN), { attempt: ATTEMPT, ...order });
    const cleared = { kind: "cleared", state: record.state };
    expect(await force({ redis, keys }, PLAN)).toEqual(cleared);
    expect([await redis.exists(keys.dedupe(PLAN)), await audited()]).toEqual([1, 0]);

    const before = await redis.keys("*");
    expect(await force({ redis, keys }, PLAN, BY)).toEqual(cleared);
    const gone = new Set([keys.dedupe(PLAN), keys.published(PLAN)]);
    const left = before.filter((key) => !gone.has(key));
    expect((await redis.keys("*")).toSorted()).toEqual([...left, keys.streams.operatorAudit].toSorted());
    expect(await force({ redis, keys }, PLAN, BY)).toEqual({ kind: "free" });
    expect(await audited()).toBe(1);
  });
});

describe("doubt end", () => {
  const NOT_PLACED = { outcome: "NOT_PLACED", quantity: "" } as const;
  const EXECUTED = { outcome: "EXECUTED", quantity: "0.10" } as const;
  const order = (state: string) =>
    redis.hset(keys.order(PLAN), { state, quantity: "0.1", client_order_id: `qp-${PLAN}-1` });

  it.each([
    ["none", undefined],
    ["SENT", "SENT"],
    ["EXECUTED", "EXECUTED"],
    ["NOT_PLACED", "NOT_PLACED"],
  ])("changes nothing where the order is not in doubt: %s", async (state, claimed) => {
    if (claimed !== undefined) await order(claimed);
    const before = await redis.hgetall(keys.order(PLAN));
    expect(await endDoubt({ redis, keys }, PLAN, NOT_PLACED, BY)).toEqual({ kind: "not in doubt", state });
    expect([await redis.hgetall(keys.order(PLAN)), await audited()]).toEqual([before, 0]);
  });

  it("takes no quantity above the order's", async () => {
    await order("UNKNOWN");
    const statement = { outcome: "EXECUTED", quantity: "0.10001" } as const;
    const answer = { kind: "too much", ordered: "0.1" };
    expect(await endDoubt({ redis, keys }, PLAN, statement, BY)).toEqual(answer);
    expect([await redis.hexists(keys.order(PLAN), "stated_outcome"), await audited()]).toEqual([0, 0]);
  });

  it("states it once, on record, and ends nothing; a later statement replaces it", async () => {
    await order("UNKNOWN");
    await redis.hset(keys.order(PLAN), "next_ask_at_ms", "9999999999999");
    for (const _ of [1, 2])
      expect(await endDoubt({ redis, keys }, PLAN, EXECUTED, BY)).toEqual({ kind: "stated" });
    const stated = { state: "UNKNOWN", stated_outcome: "EXECUTED", stated_qty: "0.10", stated_by: BY.who };
    const claim = await redis.hgetall(keys.order(PLAN));
    expect(claim).toMatchObject(stated);
    expect(Number(claim["next_ask_at_ms"])).toBeLessThan(9_999_999_999_999);
    expect([await redis.xlen(keys.streams.result), await audited()]).toEqual([0, 1]);
    await endDoubt({ redis, keys }, PLAN, NOT_PLACED, BY);
    expect(await redis.hgetall(keys.order(PLAN))).toMatchObject({
      stated_outcome: "NOT_PLACED",
      stated_qty: "",
    });
    expect(await audited()).toBe(2);
  });

  it.each([keys.order(PLAN), keys.streams.operatorAudit])(
    "fails whole on a wrong type of %s",
    async (key) => {
      await order("UNKNOWN");
      await redis.del(key);
      await redis.lpush(key, "not yours");
      await expect(endDoubt({ redis, keys }, PLAN, NOT_PLACED, BY)).rejects.toThrow("WRONGTYPE");
      const claim = await redis.hgetall(keys.order(PLAN)).catch(() => ({}));
      expect(claim).not.toHaveProperty("stated_outcome");
    },
  );
});

describe("exchange resume", () => {
  it("ends the pauses that are in force, once, on record, and leaves a mark that they were ended", async () => {
    const key = keys.exchangePause("requests");
    expect(await resumeExchange({ redis, keys }, BY)).toBe(false);
    await redis.set(key, '{"reason": "banned", "since_ms": 1}', "PX", 90_000);
    expect(await readPauses({ redis, keys })).toEqual([
      { scope: "requests", leftMs: expect.any(Number), sinceMs: 1, reason: "banned" },
    ]);
    expect(await resumeExchange({ redis, keys }, BY)).toBe(true);
    expect(await readPauses({ redis, keys })).toEqual([]);
    expect(await redis.get(key)).toContain("resumed_ms");
    expect(await redis.pttl(key)).toBeGreaterThan(50_000);
    expect(await redis.exists(keys.exchangePause("orders"))).toBe(0);
    expect(await resumeExchange({ redis, keys }, BY)).toBe(false);
    expect(await audited()).toBe(1);
  });

  it("ends one that is no text, and changes nothing where the audit cannot be written", async () => {
    const key = keys.exchangePause("orders");
    await redis.sadd(key, "what");
    await redis.set(keys.streams.operatorAudit, "text");
    await expect(resumeExchange({ redis, keys }, BY)).rejects.toThrow("WRONGTYPE");
    expect(await redis.type(key)).toBe("set");
    await redis.del(keys.streams.operatorAudit);
    expect(await resumeExchange({ redis, keys }, BY)).toBe(true);
    expect(await redis.get(key)).toContain("resumed_ms");
  });
});

describe("disarm clear", () => {
  it("clears the disarm that was shown, not one that has come since", async () => {
    await redis.set(keys.disarm, '{"reason": "repeated_errors"}');
    expect(await clearDisarm({ redis, keys }, { disarm: "", today: "" }, BY)).toBe(false);
    expect([await redis.exists(keys.disarm), await audited()]).toEqual([1, 0]);
  });
});

describe("dead letters", () => {
  const { plan, deadLetter } = keys.streams;

  async function givenLetter(): Promise<{ id: string; entryId: string; fields: Record<string, string> }> {
    const entryId = String(await redis.xadd(plan, "*", "plan_id", PLAN));
    await redis.xgroup("CREATE", plan, "governor", "$");
    await redis.xgroup("CREATE", plan, "p33", "$");
    const fields = { stream: plan, group: "governor", entry_id: entryId, reason: "bad" };
    const id = String(await redis.xadd(deadLetter, "*", ...Object.entries(fields).flat()));
    return { id, entryId, fields };
  }

  it("gives the entry back, under its own id, to the group that gave it up and to no other", async () => {
    const { id, entryId } = await givenLetter();
    expect(await requeue({ redis, keys }, { id, stream: plan }, BY)).toBe("requeued");
    const claimed = (await redis.xautoclaim(plan, "governor", "other", 10_000, "0")) as [string, [string][]];
    expect(claimed[1].map(([claimedId]) => claimedId)).toEqual([entryId]);
    expect(await redis.xpending(plan, "p33")).toEqual([0, null, null, null]);
    expect([await redis.xlen(plan), await redis.xlen(deadLetter), await audited()]).toEqual([1, 0, 1]);
    expect(await requeue({ redis, keys }, { id, stream: plan }, BY)).toBe("not found");
  });

  it("keeps a letter whose entry has been trimmed, or whose group is gone", async () => {
    const { id } = await givenLetter();
    await redis.xgroup("DESTROY", plan, "governor");
    await expect(requeue({ redis, keys }, { id, stream: plan }, BY)).rejects.toThrow("NOGROUP");
    await redis.xtrim(plan, "MAXLEN", 0);
    expect(await requeue({ redis, keys }, { id, stream: plan }, BY)).toBe("trimmed");
    expect([await redis.xlen(deadLetter), await audited()]).toEqual([1, 0]);
  });

  it("drops a letter once", async () => {
    const letter = await givenLetter();
    expect(await drop({ redis, keys }, letter, BY)).toBe(true);
    expect(await drop({ redis, keys }, letter, BY)).toBe(false);
    expect(await audited()).toBe(1);
  });
});
