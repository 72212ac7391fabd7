import { connectForCommands, disconnect } from "@quantum/redis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ConsumeOptions } from "./consume.ts";
import {
  ATTEMPT,
  EXECUTE_TTL_MS,
  FAR_MS,
  GOVERNOR,
  GRACE_MS,
  keys,
  P33,
  PLAN,
  startPlans,
  SYMBOL,
} from "./plan.fixture.ts";

let plans: Awaited<ReturnType<typeof startPlans>>;
beforeAll(async () => void (plans = await startPlans()));
afterAll(() => plans.stop());
beforeEach(() => plans.redis.flushall());

const consume = (options: Partial<ConsumeOptions> = {}) => plans.consumer(options)(PLAN, SYMBOL);

describe("a plan whose permits are all there", () => {
  it("spends them together and hands the plan over, in the wire's fields", async () => {
    const { redis } = plans;
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits({ governor: { ...GOVERNOR, computed_qty: 0.002 }, p33: P33 });
    const before = Date.now();
    const consumed = await consume();
    expect(consumed).toMatchObject({ kind: "verdict", replayed: false });
    expect(consumed).toMatchObject({ verdict: { kind: "ok", planId: PLAN, symbol: SYMBOL, mode: "paper" } });

    const [execute, ...more] = await plans.executes();
    expect(more).toEqual([]);
    expect(execute).toMatchObject({ plan_id: PLAN, symbol: SYMBOL, attempt: ATTEMPT, attempt_no: "1" });
    expect(execute).toMatchObject({ step: "CLOSE_FULL", close_pct: "100", mode: "paper" });
    expect(execute).toMatchObject({ position_amt: "0.011", safe_qty: "0.008", max_qty: "0.002" });
    expect(Number(execute?.["valid_until_ms"])).toBeGreaterThanOrEqual(before + EXECUTE_TTL_MS);
    expect(Number(execute?.["valid_until_ms"])).toBeLessThanOrEqual(Date.now() + EXECUTE_TTL_MS);
    expect(await plans.results()).toEqual([]);

    expect(await plans.permitsLeft()).toBe(0);
    expect(await redis.zcard(keys.waiting(SYMBOL))).toBe(0);
    expect(await redis.get(keys.spent(PLAN))).toMatch(
      new RegExp(`^OK ${ATTEMPT} \\d+ 0\\.008 \\d+-\\d+ ${SYMBOL}\n\\["plan_id",`),
    );
    expect(await redis.ttl(keys.spent(PLAN))).toBeGreaterThan(6 * 24 * 3600);
    const record = await redis.hgetall(keys.plan(PLAN));
    expect(record).toMatchObject({ state: "PERMITTED", safe_qty: "0.008", wait_ms: execute?.["wait_ms"] });
    expect(record).toMatchObject({ governor_verdict: "granted", p33_verdict: "granted" });
    expect(record).toHaveProperty("p33_seen_ms");
  });

  it("is handed over although somebody has written a quantity to its record", async () => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits({ governor: GOVERNOR, p33: P33 });
    await plans.redis.hset(keys.plan(PLAN), "safe_qty", "9");
    expect(await consume()).toMatchObject({ replayed: false, verdict: { kind: "ok", safeQty: "0.008" } });
    expect(await plans.executes()).toHaveLength(1);
    expect(await plans.redis.hget(keys.plan(PLAN), "safe_qty")).toBe("0.008");
  });

  it("hands over what the issuers signed, in the entry alone, and records the keys and the entry", async () => {
    const { redis } = plans;
    await plans.givenPlan(FAR_MS);
    const signed = { governor: "v=1;kid=0123456789abcdef;a", p33: "v=1;kid=fedcba9876543210;b" };
    await plans.givenPermits({
      governor: { ...GOVERNOR, signed: signed.governor },
      p33: { ...P33, signed: signed.p33 },
    });
    await consume();
    const [entry] = await redis.xrange(keys.streams.execute, "-", "+");
    const [execute] = await plans.executes();
    expect(execute).toMatchObject({ signed: `${signed.governor}\n${signed.p33}` });
    expect(await redis.hgetall(keys.plan(PLAN))).toMatchObject({
      governor_key: "0123456789abcdef",
      p33_key: "fedcba9876543210",
    });
    expect((await redis.get(keys.spent(PLAN)))?.split("\n")[0]).toMatch(
      new RegExp(` ${entry?.[0]} ${SYMBOL}$`),
    );
    await redis.del(keys.streams.execute);
    expect(JSON.stringify(await plans.keyspace())).not.toContain("v=1;kid=");
  });

  it.each(["two\nlines", "x".repeat(1_025), 7, null])(
    "is blocked if a permit's signed text is none: %j",
    async (signed) => {
      await plans.givenPlan(FAR_MS);
      await plans.givenPermits({ governor: { ...GOVERNOR, signed }, p33: P33 });
      expect(await consume()).toMatchObject({ verdict: { reason: "invalid_governor_permit_format" } });
    },
  );

  /** As our issuers write it. */
  const spaced = (permit: object) => JSON.stringify(permit, null, 1).replaceAll(/\n */g, " ");
  it.each([
    ["its own", { signed: "v=1;a" }, "v=1;a\nv=1;b"],
    ["its own, behind another object's", { context: { signed: "v=1;c" }, signed: "v=1;a" }, "v=1;a\nv=1;b"],
    ["none, but another object has one", { context: { signed: "v=1;c" } }, "v=1;b"],
    ["one with escapes", { signed: 'v=1;"a"' }, 'v=1;"a"\nv=1;b'],
  ])("hands over the text that a permit has: %s", async (_, fields, signed) => {
    await plans.givenPlan(FAR_MS);
    const p33 = spaced({ ...P33, signed: "v=1;b" });
    await plans.givenPermits({ governor: spaced({ ...GOVERNOR, ...fields }), p33 });
    expect(await consume()).toMatchObject({ verdict: { kind: "ok", safeQty: "0.008" } });
    expect(await plans.executes()).toMatchObject([{ signed }]);
  });

  it.each(["two\nlines", "x".repeat(1_025)])(
    "is blocked by a text that is none, spaced: %j",
    async (signed) => {
      await plans.givenPlan(FAR_MS);
      await plans.givenPermits({ governor: spaced({ ...GOVERNOR, signed }), p33: P33 });
      expect(await consume()).toMatchObject({ verdict: { reason: "invalid_governor_permit_format" } });
    },
  );

  it("gets the same verdict again, and nothing changes the second time", async () => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    const first = await consume();
    await plans.givenPermits(); // Late permits must not be spent by a replay.
    const before = await plans.keyspace();
    await plans.redis.script("FLUSH");
    expect(await consume({ halted: true })).toEqual({ ...first, replayed: true });
    expect(await plans.keyspace()).toEqual(before);
  });

  it("gets one fresh verdict from many callers at once", async () => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    const other = connectForCommands({ url: plans.server.url, name: "other", onError: () => undefined });
    const callers = Array.from({ length: 20 }, (_, i) => consume(i % 2 === 0 ? {} : { redis: other }));
    const consumed = await Promise.all(callers);
    await disconnect(other);
    expect(consumed.filter((one) => one.kind === "verdict" && !one.replayed)).toHaveLength(1);
    expect(await plans.executes()).toHaveLength(1);
  });

  it("ends as DRY_RUN in dry_run: spent, a result that would execute, no handover", async () => {
    await plans.givenPlan(FAR_MS, { mode: "dry_run" });
    await plans.givenPermits();
    expect(await consume()).toMatchObject({ verdict: { kind: "ok", mode: "dry_run" } });
    expect(await plans.executes()).toEqual([]);
    const [result] = await plans.results();
    expect(result).toMatchObject({
      decision: "EXECUTE",
      executed: "False",
      would_execute: "True",
      error: "",
    });
    expect(result).toMatchObject({ attempt: ATTEMPT, outcome: "DRY_RUN", safe_qty: "0.008" });
    expect(JSON.parse(result?.["steps_results"] ?? "")).toMatchObject([{ step: "CLOSE_FULL" }]);
    expect(await plans.redis.get(keys.spent(PLAN))).toMatch(/^DRY_RUN /);
    expect(await plans.redis.ttl(keys.spent(PLAN))).toBeLessThanOrEqual(24 * 3600);
    expect(await plans.redis.hget(keys.plan(PLAN), "state")).toBe("DRY_RUN");
    expect(await consume()).toMatchObject({ replayed: true, verdict: { kind: "ok" } });
    expect(await plans.results()).toHaveLength(1);
  });

  it("is finished wholly when Redis runs out of memory", async () => {
    await plans.givenPlan(FAR_MS);
    await consume(); // Loading the script needs memory.
    await plans.givenPermits();
    await plans.redis.config("SET", "maxmemory", "1");
    try {
      await expect(plans.redis.set("any", "1")).rejects.toThrow("OOM");
      expect(await consume()).toMatchObject({ replayed: false, verdict: { kind: "ok" } });
    } finally {
      await plans.redis.config("SET", "maxmemory", "0");
    }
    expect(await plans.executes()).toHaveLength(1);
  });

  it.each([
    [0.008, "0.008"],
    [1e-5, "0.00001"],
    [0.1 + 0.2, "0.30000000000000004"],
    [123456789.123, "123456789.123"],
    [5, "5"],
  ])("hands %d over as %s, never rounded and without exponent", async (quantity, text) => {
    await plans.givenPlan(FAR_MS);
    const governor = { ...GOVERNOR, computed_qty: quantity };
    await plans.givenPermits({ governor, p33: { ...P33, safe_close_qty: quantity } });
    await consume();
    expect(await plans.executes()).toMatchObject([{ safe_qty: text, max_qty: text }]);
  });

  it("hands over every digit that a permit was written with, and caps exactly", async () => {
    await plans.givenPlan(FAR_MS);
    const text = (permit: object, digits: string) => JSON.stringify(permit).replaceAll("77", digits);
    const [safe, cap] = ["123456789012345678901.12345678", "123456789012345678901.12345677"];
    const p33 = { ...P33, safe_close_qty: 77, exchange_position_amt: -77 };
    await plans.redis.set(keys.permit("p33", PLAN), text(p33, safe));
    await plans.redis.set(keys.permit("governor", PLAN), text({ ...GOVERNOR, computed_qty: 77 }, cap));
    await consume();
    expect(await plans.executes()).toMatchObject([
      { safe_qty: safe, max_qty: cap, position_amt: `-${safe}` },
    ]);
  });

  it("takes safe_qty for safe_close_qty, a short position, and the smallest cap of all permits", async () => {
    await plans.givenPlan(FAR_MS);
    const p33 = { allow: true, symbol: SYMBOL, safe_qty: 0.5, exchange_position_amt: -2, computed_qty: 0.3 };
    await plans.givenPermits({ governor: { ...GOVERNOR, computed_qty: 0.4 }, p33 });
    await consume();
    expect(await plans.executes()).toMatchObject([{ safe_qty: "0.5", position_amt: "-2", max_qty: "0.3" }]);
  });

  it.each([
    ["names none", {}],
    ["names 0, as the Python governor does", { computed_qty: 0.0 }],
  ])("has no cap where the governor %s", async (_, cap) => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits({ governor: { granted: true, symbol: SYMBOL, ...cap }, p33: P33 });
    await consume();
    expect(await plans.executes()).toMatchObject([{ max_qty: "" }]);
  });

  it("may still be spent within the grace after the deadline", async () => {
    await plans.givenPlan(-GRACE_MS);
    await plans.givenPermits();
    expect(await consume({ graceMs: FAR_MS })).toMatchObject({ verdict: { kind: "ok" } });
  });

  it("is BLOCKED after the grace: what is found then is too late", async () => {
    await plans.givenPlan(-GRACE_MS - 1);
    await plans.givenPermits();
    expect(await consume()).toMatchObject({ verdict: { kind: "blocked", reason: "deadline_passed" } });
    expect(await plans.executes()).toEqual([]);
    expect(await plans.permitsLeft()).toBe(0);
  });
});

describe("a plan that lacks a permit", () => {
  it.each([
    ["both", {}, ["governor", "p33"]],
    ["P3.3's", { governor: GOVERNOR }, ["p33"]],
    ["the governor's", { p33: P33 }, ["governor"]],
    ["one of this attempt", { governor: GOVERNOR, p33: { ...P33, attempt: "1-0" } }, ["p33"]],
  ])("waits without any change when it lacks %s", async (_, permits, lacking) => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits(permits);
    const before = await plans.keyspace();
    for (let run = 1; run <= 2; run++) {
      const { remainingMs, ...consumed } = { remainingMs: 0, ...(await consume()) };
      expect(consumed).toEqual({ kind: "waiting", lacking });
      expect(remainingMs).toBeGreaterThan(FAR_MS / 2);
    }
    expect(await plans.keyspace()).toEqual(before);
  });

  it("is BLOCKED at the deadline, once, with the time each permit had left", async () => {
    const { redis } = plans;
    await plans.givenPlan(0);
    await plans.givenPermits({ governor: GOVERNOR });
    const consumed = await consume();
    expect(consumed).toMatchObject({ verdict: { kind: "blocked", reason: "missing_p33", detail: "" } });
    if (consumed.kind !== "verdict" || consumed.verdict.kind !== "blocked") throw new Error("not blocked");
    expect(consumed.verdict.permitTtls.get("governor")).toBeGreaterThan(50);
    expect(consumed.verdict.permitTtls.get("p33")).toBe(-2);

    const [result] = await plans.results();
    const common = {
      plan_id: PLAN,
      symbol: SYMBOL,
      decision: "BLOCKED",
      executed: "False",
      attempt: ATTEMPT,
    };
    expect(result).toMatchObject({
      ...common,
      error: "missing_p33",
      outcome: "BLOCKED",
      steps_results: "[]",
    });
    expect(await redis.exists(keys.permit("governor", PLAN), keys.spent(PLAN))).toBe(0);
    expect(await redis.zcard(keys.waiting(SYMBOL))).toBe(0);

    await plans.givenPermits();
    const before = await plans.keyspace();
    expect(await consume()).toMatchObject({ replayed: true, verdict: { reason: "missing_p33" } });
    expect(await plans.keyspace()).toEqual(before);
  });

  it.each([
    [["p33"], {}, "missing_p33"],
    [["governor", "p33"], {}, "missing_both"],
    [["governor", "p33"], { p33: P33 }, "missing_governor"],
    [["governor", "p33", "risk"], {}, "missing_governor_p33_risk"],
    [["governor", "p33", "risk"], { p33: P33 }, "missing_governor_risk"],
    [["governor", "p33", "risk"], { governor: GOVERNOR, p33: P33 }, "missing_risk"],
  ])("of %j with %j ends as %s", async (required, permits, reason) => {
    await plans.givenPlan(0);
    await plans.givenPermits(permits);
    expect(await consume({ required })).toMatchObject({ verdict: { reason } });
    expect(await plans.results()).toMatchObject([{ error: reason }]);
  });

  it("needs all of three issuers and spends all of three", async () => {
    const required = ["governor", "p33", "risk"];
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    expect(await consume({ required })).toMatchObject({ kind: "waiting", lacking: ["risk"] });
    await plans.givenPermits({ risk: { allow: true, symbol: SYMBOL } });
    expect(await consume({ required })).toMatchObject({ verdict: { kind: "ok" } });
    expect(await plans.permitsLeft(required)).toBe(0);
    expect(await plans.executes()).toHaveLength(1);
  });
});

describe("a plan without a record", () => {
  it("is gone, whatever permits lie there, and only its place in the waiting list goes", async () => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    await plans.redis.del(keys.plan(PLAN));
    const { [keys.waiting(SYMBOL)]: _, ...before } = await plans.keyspace();
    expect(await consume()).toEqual({ kind: "gone" });
    expect(await plans.keyspace()).toEqual(before);
  });
});

describe("a plan that ended without waiting", () => {
  it.each(["SKIP", "ERROR", "BLOCKED"])("%s replays its reason", async (state) => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    await plans.redis.hset(keys.plan(PLAN), { state, reason: "why" });
    expect(await consume()).toMatchObject({ replayed: true, verdict: { kind: "blocked", reason: "why" } });
    expect(await plans.permitsLeft()).toBe(2);
    expect(await plans.results()).toEqual([]);
  });
});
