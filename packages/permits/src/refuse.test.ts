/** What `consume` must refuse, and what a refusal must not change. */
import { utcDay } from "@quantum/contract";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ConsumeOptions } from "./consume.ts";
import { ATTEMPT, FAR_MS, GOVERNOR, keys, P33, PLAN, startPlans, SYMBOL } from "./plan.fixture.ts";

let plans: Awaited<ReturnType<typeof startPlans>>;
beforeAll(async () => void (plans = await startPlans()));
afterAll(() => plans.stop());
beforeEach(() => plans.redis.flushall());

const consume = (options: Partial<ConsumeOptions> = {}) => plans.consumer(options)(PLAN, SYMBOL);

/** Consumes. If the plan is BLOCKED, checks that this only removed the permits and added one result. */
async function outcome(options: Partial<ConsumeOptions> = {}): Promise<string> {
  const consumed = await consume(options);
  if (consumed.kind !== "verdict") return consumed.kind;
  const { verdict } = consumed;
  if (verdict.kind === "ok") return "ok";
  expect(await plans.permitsLeft()).toBe(0);
  expect(await plans.executes()).toEqual([]);
  expect(await plans.redis.exists(keys.spent(PLAN))).toBe(0);
  expect(await plans.redis.zcard(keys.waiting(SYMBOL))).toBe(0);
  expect(await plans.redis.hget(keys.plan(PLAN), "state")).toBe("BLOCKED");
  expect(await plans.results()).toMatchObject([{ error: verdict.reason, detail: verdict.detail }]);
  expect(await consume(options)).toMatchObject({ replayed: true, verdict: { reason: verdict.reason } });
  expect(await plans.results()).toHaveLength(1);
  return verdict.detail === "" ? verdict.reason : `${verdict.reason}: ${verdict.detail}`;
}

describe("the shape of a permit", () => {
  const p33 = (change: object) => ({ ...P33, ...change });
  const MALFORMED = "invalid_p33_permit_format";
  const QUANTITY = "invalid_safe_close_qty";

  it.each([
    ["is not JSON", "yes", MALFORMED],
    ["is empty", "", MALFORMED],
    ["is cut off", '{"allow": true, "symbol": "BTCUSDT"', MALFORMED],
    ["is an array", "[true]", MALFORMED],
    ["is true itself", "true", MALFORMED],
    ["is a number", "1", MALFORMED],
    ["is null", "null", MALFORMED],
    ["is text", '"true"', MALFORMED],
    ["says yes in text", p33({ allow: "true" }), MALFORMED],
    ["says 1", p33({ allow: 1 }), MALFORMED],
    ["says null", p33({ allow: null }), MALFORMED],
    ["says nothing", p33({ allow: undefined }), MALFORMED],
    ["says yes in the governor's word", p33({ allow: undefined, granted: true }), MALFORMED],
    ["is another symbol's", p33({ symbol: "ETHUSDT" }), MALFORMED],
    ["names no symbol", p33({ symbol: undefined }), MALFORMED],
    ["was consumed", p33({ consumed: true }), MALFORMED],
    ["was consumed in text", p33({ consumed: "false" }), MALFORMED],
    ["names no position", p33({ exchange_position_amt: undefined }), MALFORMED],
    ["names a position of 0", p33({ exchange_position_amt: 0 }), MALFORMED],
    ["names the position in text", p33({ exchange_position_amt: "0.011" }), MALFORMED],
    ["names no finite position", raw("exchange_position_amt", "-Infinity"), MALFORMED],
    ["names a quantity of 0", p33({ safe_close_qty: 0 }), QUANTITY],
    ["names 0 beside a safe_qty", p33({ safe_close_qty: 0, safe_qty: 0.008 }), QUANTITY],
    ["names a negative quantity", p33({ safe_close_qty: -0.008 }), QUANTITY],
    ["names NaN", raw("safe_close_qty", "NaN"), QUANTITY],
    ["names Infinity", raw("safe_close_qty", "Infinity"), QUANTITY],
    ["overflows", raw("safe_close_qty", "1e999"), QUANTITY],
    ["names a quantity in another base", raw("safe_close_qty", "0x1"), MALFORMED],
    ["names a quantity behind zeros", raw("safe_close_qty", "00.008"), MALFORMED],
    ["names dust beyond all decimals", p33({ safe_close_qty: 1e-300 }), QUANTITY],
    ["names the quantity in text", p33({ safe_close_qty: "0.008" }), QUANTITY],
    ["names null", p33({ safe_close_qty: null }), QUANTITY],
    ["names no quantity", p33({ safe_close_qty: undefined }), QUANTITY],
    ["names a negative cap", p33({ computed_qty: -1 }), MALFORMED],
    ["is well", P33, "ok"],
    ["is well and of this attempt", p33({ attempt: ATTEMPT, consumed: false }), "ok"],
    ["is of another attempt, even as a denial", p33({ allow: false, attempt: "1-0" }), "waiting"],
  ])("that %s", async (_, permit, expected) => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits({ governor: GOVERNOR, p33: permit });
    expect(await outcome()).toBe(expected);
  });

  it.each([
    [
      "denies in its permit",
      { ...GOVERNOR, granted: false, reason: "burst" },
      "governor_permit_denied: burst",
    ],
    ["says yes in P3.3's word", { allow: true, symbol: SYMBOL }, "invalid_governor_permit_format"],
    ["says yes in text", { ...GOVERNOR, granted: "true" }, "invalid_governor_permit_format"],
    ["caps below 0", { ...GOVERNOR, computed_qty: -0.001 }, "invalid_governor_permit_format"],
    ["caps in text", { ...GOVERNOR, computed_qty: "0.1" }, "invalid_governor_permit_format"],
    [
      "caps at NaN",
      '{"granted": true, "symbol": "BTCUSDT", "computed_qty": NaN}',
      "invalid_governor_permit_format",
    ],
  ])("by a governor that %s", async (_, governor, expected) => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits({ governor, p33: P33 });
    expect(await outcome()).toBe(expected);
  });

  it("is judged at once, without waiting for the others", async () => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits({ p33: "yes" });
    expect(await outcome()).toBe(MALFORMED);
  });

  it.each(["hash", "list", "set", "stream"] as const)("of type %s", async (type) => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits({ governor: GOVERNOR });
    await givenType(keys.permit("p33", PLAN), type);
    expect(await outcome()).toBe(MALFORMED);
  });

  /** JSON with an invalid value, as Python's json.dumps may write it. */
  function raw(field: string, value: string): string {
    const body = JSON.stringify({ ...P33, [field]: undefined });
    return `${body.slice(0, -1)}, "${field}": ${value}}`;
  }
});

describe("a denial", () => {
  const P33_DENIAL = { allow: false, symbol: SYMBOL, reason: "cooldown_in_flight", context: {} };

  it("by P3.3's permit ends the wait at once, and is never reported as missing", async () => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits({ p33: P33_DENIAL });
    expect(await outcome()).toBe("p33_permit_denied: cooldown_in_flight");
  });

  it("burns no permit of the others for an order", async () => {
    await plans.givenPlan(0);
    await plans.givenPermits({ governor: GOVERNOR, p33: P33_DENIAL });
    expect(await outcome()).toBe("p33_permit_denied: cooldown_in_flight");
  });

  it.each([
    ["as the Python governor writes it", { reason: "burst_limit_exceeded" }, "burst_limit_exceeded"],
    ["of this attempt", { reason: "disarmed", attempt: ATTEMPT }, "disarmed"],
    ["that is unreadable", "no", "unreadable_block"],
    ["without a reason", {}, ""],
    ["with a reason that is no text", { reason: { a: 1 } }, ""],
  ])("by block key, %s, outweighs the permit beside it", async (_, block, detail) => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    const text = typeof block === "string" ? block : JSON.stringify(block);
    await plans.redis.set(keys.block("governor", PLAN), text);
    expect(await outcome()).toBe(`governor_permit_denied${detail === "" ? "" : `: ${detail}`}`);
  });

  it("by block key of another attempt is none of ours", async () => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    await plans.redis.set(keys.block("governor", PLAN), JSON.stringify({ reason: "old", attempt: "1-0" }));
    expect(await outcome()).toBe("ok");
  });

  it.each(["hash", "list"] as const)("is assumed where the block key is a %s", async (type) => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    await givenType(keys.block("governor", PLAN), type);
    expect(await outcome()).toBe("governor_permit_denied: unreadable_block");
  });
});

describe("a halt", () => {
  const running = ["0", "false", "off", "no", "FALSE", " off ", "\tNo\n"];
  const halting = ["1", "true", "on", "", " ", "garbage", "00", "false!", "null", "OFFLINE"];

  it.each(running)("is none with the kill switch at %j", async (value) => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    await plans.redis.set(keys.killSwitch, value);
    expect(await outcome()).toBe("ok");
  });

  it.each(halting)("by the kill switch at %j blocks plans with and without permits", async (value) => {
    await plans.redis.set(keys.killSwitch, value);
    await plans.givenPlan(FAR_MS);
    expect(await outcome()).toBe("kill_switch_active");
    await plans.redis.flushall();
    await plans.redis.set(keys.killSwitch, value);
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    expect(await outcome()).toBe("kill_switch_active");
    expect(await plans.redis.get(keys.killSwitch)).toBe(value);
  });

  it.each(["hash", "list"] as const)("is assumed where the kill switch is a %s", async (type) => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    await givenType(keys.killSwitch, type);
    expect(await outcome()).toBe("kill_switch_active");
  });

  it("by the caller's own configuration blocks", async () => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    expect(await outcome({ halted: true })).toBe("kill_switch_active");
  });

  it.each([keys.disarm, keys.disarmOf(utcDay(Date.now()))])(
    "by %s blocks, whatever it holds",
    async (key) => {
      await plans.givenPlan(FAR_MS);
      await plans.givenPermits();
      await plans.redis.set(key, "false");
      expect(await outcome()).toBe("disarmed");
    },
  );

  it("by the disarm of another day is over", async () => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    await plans.redis.set(keys.disarmOf("2020-01-01"), "{}");
    expect(await outcome()).toBe("ok");
  });

  it("is named before a denial, a denial before a malformed permit, that before a missing one", async () => {
    const reasons: string[] = [];
    for (const step of ["missing", "malformed", "denied", "disarmed", "killed"]) {
      await plans.redis.flushall();
      await plans.givenPlan(0);
      if (step !== "missing") await plans.givenPermits({ governor: "yes" });
      if (step === "denied" || step === "disarmed" || step === "killed")
        await plans.givenPermits({ p33: { ...P33, allow: false, reason: "no_position" } });
      if (step === "disarmed" || step === "killed") await plans.redis.set(keys.disarm, "{}");
      if (step === "killed") await plans.redis.set(keys.killSwitch, "1");
      reasons.push(await outcome());
    }
    expect(reasons).toEqual([
      "missing_both",
      "invalid_governor_permit_format",
      "p33_permit_denied: no_position",
      "disarmed",
      "kill_switch_active",
    ]);
  });
});

describe("a key of the wrong type", () => {
  const KEYS = [keys.plan(PLAN), keys.waiting(SYMBOL), keys.streams.execute, keys.streams.result];

  it.each(KEYS)("at %s fails before anything is written", async (key) => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    await plans.redis.set(key, "not what it should be");
    const before = await plans.keyspace();
    await expect(consume()).rejects.toThrow("WRONGTYPE");
    expect(await plans.keyspace()).toEqual(before);
  });

  it("at the memory of spent permits is overwritten by the spending", async () => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    await givenType(keys.spent(PLAN), "hash");
    expect(await outcome()).toBe("ok");
    expect(await plans.redis.get(keys.spent(PLAN))).toMatch(/^OK /);
  });
});

it("spends nothing where the issuer of the quantity is not required", async () => {
  await plans.givenPlan(FAR_MS);
  await plans.givenPermits({ governor: GOVERNOR });
  expect(await outcome({ required: ["governor"] })).toBe("invalid_safe_close_qty");
});

async function givenType(key: string, type: "hash" | "list" | "set" | "stream"): Promise<void> {
  const { redis } = plans;
  await redis.del(key);
  const write = {
    hash: () => redis.hset(key, "granted", "true"),
    list: () => redis.rpush(key, "true"),
    set: () => redis.sadd(key, "true"),
    stream: () => redis.xadd(key, "*", "allow", "true"),
  };
  await write[type]();
}
