/** lua/plans/look_after through its typed wrapper: whichever key of a waiting plan is lost, the plan ends once. */
import { keyspaceOf } from "@quantum/harness";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FIELDS, keys, proposalFrom, startScriptRig } from "./script-rig.fixture.ts";
import { createPlanCare } from "./plan-care.ts";

const SYMBOL = "BTCUSDT";
const EXECUTE = { decision: "EXECUTE", reason: "", close: { step: "CLOSE_FULL", pct: 100 } } as const;

let rig: Awaited<ReturnType<typeof startScriptRig>>;
let look: () => Promise<void>;
let lost: string[];
beforeAll(async () => void (rig = await startScriptRig()));
afterAll(() => rig.stop());
beforeEach(async () => {
  await rig.redis.flushall();
  lost = [];
  look = createPlanCare({ redis: rig.redis, keys, onLost: ({ planId }) => void lost.push(planId) });
});

async function opened(): Promise<{ planId: string; attempt: string }> {
  const plan = await rig.opener()(proposalFrom(FIELDS, SYMBOL), EXECUTE);
  if (plan.kind !== "opened") throw new Error(`it is ${plan.kind}`);
  return plan;
}
const results = async () => (await rig.redis.xrange(keys.streams.result, "-", "+")).map(([, flat]) => flat);
const damages = {
  deleted: async (key: string) => void (await rig.redis.del(key)),
  mistyped: async (key: string) => void (await rig.redis.multi().del(key).lpush(key, "x").exec()),
};

describe.each(["deleted", "mistyped"] as const)("a plan that waits and whose %s key", (how) => {
  it("is an index is named by it again, however often it is lost", async () => {
    const { planId } = await opened();
    const deadline = await rig.redis.hget(keys.plan(planId), "deadline_ms");
    for (const key of [keys.waiting(SYMBOL), keys.waitingSymbols]) {
      await damages[how](key);
      await look();
      expect(await rig.redis.zscore(keys.waiting(SYMBOL), planId)).toBe(deadline);
      expect(await rig.redis.smembers(keys.waitingSymbols)).toEqual([SYMBOL]);
    }
    expect(await results()).toEqual([]);
  });

  it("is its record is blocked, with one result", async () => {
    const { planId, attempt } = await opened();
    await look();
    await damages[how](keys.plan(planId));
    await look();
    await look();
    expect(await results()).toEqual([
      expect.arrayContaining([
        "plan_id",
        planId,
        "outcome",
        "BLOCKED",
        "error",
        "record_lost",
        "attempt",
        attempt,
      ]),
    ]);
    expect(lost).toEqual([planId]);
    expect(await rig.redis.exists(keys.plan(planId))).toBe(0);
  });
});

describe("an operator's plan", () => {
  it.each([true, false])("is left alone, with its record %s", async (hasRecord) => {
    const planId = "67e6da21fa9fe506";
    const fields = {
      plan_id: planId,
      symbol: SYMBOL,
      action: "x",
      kill_score: "0",
      decision: "EXECUTE",
      steps: "[]",
    };
    const more = { attempt_no: "1", class: "operator" };
    const attempt = await rig.redis.xadd(
      keys.streams.plan,
      "*",
      ...Object.entries({ ...fields, ...more }).flat(),
    );
    const copy = '["plan_id", "…"]';
    await rig.redis.set(keys.spent(planId), `OK ${attempt} 1 0.1 2-0 ${SYMBOL}\n${copy}`);
    if (hasRecord)
      await rig.redis.hset(keys.plan(planId), {
        state: "PERMITTED",
        attempt: attempt ?? "",
        hand_over: copy,
        ...more,
      });
    const before = await keyspaceOf(rig.redis);
    await look();
    await look();
    expect(await keyspaceOf(rig.redis)).toEqual(before);
  });
});

/** The fields of its record that are needed to end it. */
const NEEDED = [
  "symbol",
  "mode",
  "step",
  "close_pct",
  "attempt",
  "attempt_no",
  "opened_at_ms",
  "deadline_ms",
];

describe("a plan that waits and whose record is damaged", () => {
  it.each([
    ...NEEDED.map((field) => ["lacks", field] as const),
    ...["state", ...NEEDED].filter((field) => field !== "step").map((field) => ["garbles", field] as const),
  ])("since it %s %s spends no permit and is blocked, with one result", async (how, field) => {
    const { planId, attempt } = await opened();
    await rig.givePermits(planId);
    await (how === "lacks"
      ? rig.redis.hdel(keys.plan(planId), field)
      : rig.redis.hset(keys.plan(planId), field, "?!"));
    for (let turn = 0; turn < 2; turn += 1) {
      await rig.consumer()(planId, SYMBOL, 1);
      await look();
    }
    expect(await rig.entries(keys.streams.result)).toMatchObject([
      { plan_id: planId, attempt, outcome: "BLOCKED", reason: "record_lost" },
    ]);
    expect(await rig.entries(keys.streams.execute)).toEqual([]);
    expect(await rig.redis.exists(keys.plan(planId), keys.spent(planId))).toBe(0);
  });

  it("in a later attempt ends that attempt, and no earlier one again", async () => {
    const first = await opened();
    await rig.redis.hset(keys.plan(first.planId), "deadline_ms", "soon");
    await look();
    await rig.redis.del(keys.dedupe(first.planId));
    const second = await opened();
    await rig.redis.hset(keys.plan(first.planId), "deadline_ms", "soon");
    look = createPlanCare({ redis: rig.redis, keys, onLost: () => undefined });
    await look();
    await look();
    expect(await rig.entries(keys.streams.result)).toMatchObject([
      { attempt: first.attempt },
      { attempt: second.attempt },
    ]);
  });
});

describe("a plan that is handed over", () => {
  it.each(["deleted", "mistyped"] as const)(
    "is, again, in an index that was %s, until it has ended",
    async (how) => {
      const { planId } = await opened();
      await rig.givePermits(planId);
      await rig.consumer()(planId, SYMBOL);
      const handOver = await rig.redis.hget(keys.handedOver, planId);
      for (const state of ["PERMITTED", "SENT", "UNKNOWN"]) {
        await rig.redis.hset(keys.plan(planId), { state });
        await damages[how](keys.handedOver);
        await look();
        expect(await rig.redis.hgetall(keys.handedOver)).toEqual({ [planId]: handOver });
      }
      await rig.redis.hset(keys.handedOver, planId, "not what was handed over");
      await look();
      expect(await rig.redis.hgetall(keys.handedOver)).toEqual({ [planId]: handOver });
      await rig.redis.hset(keys.plan(planId), { state: "EXECUTED" });
      await rig.redis.del(keys.handedOver);
      await look();
      expect(await rig.redis.exists(keys.handedOver)).toBe(0);
    },
  );
});

describe("a handover whose index and whose memory of spent permits are both lost", () => {
  const handedOver = async () => {
    const { planId, attempt } = await opened();
    await rig.givePermits(planId);
    await rig.consumer()(planId, SYMBOL);
    const copy = (await rig.redis.hget(keys.handedOver, planId)) ?? "";
    await rig.redis.del(keys.handedOver, keys.spent(planId));
    return { planId, attempt, copy };
  };

  it("is told by the plan's record, word for word", async () => {
    const { planId, copy } = await handedOver();
    await look();
    expect(await rig.redis.hget(keys.handedOver, planId)).toBe(copy);
    expect(await rig.redis.object("ENCODING", keys.plan(planId))).toBe("listpack");
  });

  it("is told by the copy that earlier versions kept in the record", async () => {
    const { planId, copy } = await handedOver();
    await rig.redis.hdel(keys.plan(planId), "entry_id", "valid_until_ms", "position_amt", "max_qty");
    await rig.redis.hset(keys.plan(planId), "hand_over", copy);
    await look();
    expect(await rig.redis.hget(keys.handedOver, planId)).toBe(copy);
  });

  it.each([
    "entry_id",
    "valid_until_ms",
    "position_amt",
    "safe_qty",
    "wait_ms",
    "proposed_ms",
    "mode",
    "symbol",
  ])("is not made up from a record that lacks %s or garbles it", async (field) => {
    const { planId } = await handedOver();
    await rig.redis.hset(keys.plan(planId), field, "?!");
    await look();
    await rig.redis.hdel(keys.plan(planId), field);
    await look();
    expect(await rig.redis.exists(keys.handedOver)).toBe(0);
  });
});

describe("a plan that an executor of an earlier version has settled", () => {
  it("is struck off the index of handovers, which that version does not know", async () => {
    const { planId } = await opened();
    await rig.givePermits(planId);
    await rig.consumer()(planId, SYMBOL);
    await look();
    await rig.redis.hset(keys.plan(planId), { state: "EXECUTED" });
    await look();
    expect(await rig.redis.exists(keys.handedOver)).toBe(0);
  });
});

describe("a plan whose record is gone", () => {
  it.each([0, 199, 450])("gets no second result, after %d of other plans", async (others) => {
    const { planId, attempt } = await opened();
    for (let other = 0; other < others; other += 1)
      await rig.redis.xadd(keys.streams.result, "*", "attempt", `1-${other}`);
    await rig.redis.xadd(keys.streams.result, "*", "plan_id", planId, "attempt", attempt);
    await rig.redis.del(keys.plan(planId));
    await look();
    expect(await results()).toHaveLength(others + 1);
  });

  it("is blocked although Redis is out of memory", async () => {
    const { planId } = await opened();
    await look();
    await rig.redis.del(keys.plan(planId));
    await rig.redis.config("SET", "maxmemory", "1");
    try {
      await look();
    } finally {
      await rig.redis.config("SET", "maxmemory", "0");
    }
    expect(lost).toEqual([planId]);
    expect(await results()).toHaveLength(1);
  });

  it("and whose permits were spent is the executor's", async () => {
    const { planId, attempt } = await opened();
    await rig.givePermits(planId);
    await rig.consumer()(planId, SYMBOL);
    const handedOver = await rig.redis.hgetall(keys.handedOver);
    // The index is lost too; its entry may be lost as well.
    await rig.redis.del(keys.plan(planId), keys.handedOver);
    await look();
    expect(await rig.redis.hgetall(keys.handedOver)).toEqual(handedOver);
    expect(await results()).toEqual([]);

    await rig.redis.hset(keys.order(planId), { state: "EXECUTED", attempt });
    await rig.redis.del(keys.handedOver);
    await look();
    expect(await rig.redis.exists(keys.handedOver)).toBe(0);
  });

  it("and its dedupe mark with it was reset: it opens afresh", async () => {
    const { planId } = await opened();
    await rig.redis.del(keys.plan(planId), keys.dedupe(planId));
    await look();
    expect(await results()).toEqual([]);
  });

  it("is none of ours if it never had one", async () => {
    await rig.redis.xadd(
      keys.streams.plan,
      "*",
      "plan_id",
      "0123456789abcdef",
      "symbol",
      SYMBOL,
      "decision",
      "EXECUTE",
    );
    await look();
    expect(await results()).toEqual([]);
  });
});

describe("entries that Redis's clock has dated an hour ahead", () => {
  const published = async (aheadMs: number, planId: string) =>
    rig.redis.xadd(
      keys.streams.plan,
      `${Date.now() + aheadMs}-*`,
      ...["plan_id", planId, "symbol", SYMBOL, "decision", "EXECUTE", "attempt_no", "1"],
      ...["action", "FULL_CLOSE_PROPOSED", "kill_score", "0.5", "steps", "[]"],
    );
  /** Found deleted while it waited, at every check. */
  const isFound = (planId: string) => rig.redis.set(keys.dedupe(planId), "1");
  const HOUR_MS = 3_600_000;

  it("are read once, however long that hour lasts", async () => {
    await published(HOUR_MS, "0123456789abcdef");
    await look();
    await isFound("0123456789abcdef");
    await look();
    expect(lost).toEqual([]);
    await isFound("1123456789abcdef");
    await published(HOUR_MS + 1_000, "1123456789abcdef");
    await look();
    expect(lost).toEqual(["1123456789abcdef"]);
  });

  it("do not hide those of a stream that has been created again since", async () => {
    await published(HOUR_MS, "0123456789abcdef");
    await look();
    await rig.redis.del(keys.streams.plan);
    await isFound("1123456789abcdef");
    await published(0, "1123456789abcdef");
    await look();
    expect(lost).toEqual(["1123456789abcdef"]);
  });
});
