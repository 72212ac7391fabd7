/**
 * How the permit scripts handle times in the future: Redis's clock was ahead when they were written, or has stepped
 * back.
 */
import * as fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { keepBooks } from "./bookkeeping.ts";
import type { Limit } from "./issue.ts";
import * as issuer from "./issuer.fixture.ts";
import { ATTEMPT, FAR_MS, GRACE_MS, keys, PLAN, startPlans, SYMBOL } from "./plan.fixture.ts";

const HOUR_MS = 3_600_000;
const WAIT_MS = 1_200;

let plans: Awaited<ReturnType<typeof startPlans>>;
beforeAll(async () => void (plans = await startPlans()));
afterAll(() => plans.stop());
beforeEach(() => plans.redis.flushall());

const consume = (overdueMs?: number) => plans.consumer()(PLAN, SYMBOL, overdueMs);
const deadline = async () => Number(await plans.redis.hget(keys.plan(PLAN), "deadline_ms"));

describe("a plan that was opened in the future", () => {
  it("counts as opened now, once, and waits no longer than any other", async () => {
    await plans.givenPlan(WAIT_MS, { aheadMs: HOUR_MS });
    const from = Date.now();
    const first = await consume();
    expect(first).toMatchObject({ kind: "waiting" });
    expect(first.kind === "waiting" && first.remainingMs).toBeLessThanOrEqual(WAIT_MS);
    const brought = await deadline();
    expect(brought).toBeGreaterThanOrEqual(from + WAIT_MS);
    expect(brought).toBeLessThanOrEqual(Date.now() + WAIT_MS);
    expect(await plans.redis.zscore(keys.waiting(SYMBOL), PLAN)).toBe(String(brought));
    const before = await plans.keyspace();
    expect(await consume()).toMatchObject({ kind: "waiting" });
    expect(await plans.keyspace()).toEqual(before);
  });

  it("has waited for no negative time when it ends", async () => {
    await plans.givenPlan(WAIT_MS, { aheadMs: HOUR_MS });
    await plans.givenPermits();
    expect(await consume()).toMatchObject({ verdict: { kind: "ok", waitMs: 0 } });
    const [execute] = await plans.executes();
    expect(Number(execute?.["opened_at_ms"])).toBeLessThanOrEqual(Date.now());
    expect(execute).toMatchObject({ attempt: ATTEMPT, wait_ms: "0" });
  });
});

describe("a wait that is over by its watcher's clock", () => {
  it("ends as one that is over by Redis's", async () => {
    await plans.givenPlan(FAR_MS);
    expect(await consume(-1)).toMatchObject({ kind: "waiting", remainingMs: 1 });
    expect(await consume(0)).toMatchObject({ verdict: { kind: "blocked", reason: "missing_both" } });
  });

  it("spends permits within the grace, and none that are found later", async () => {
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    expect(await consume(GRACE_MS + 1)).toMatchObject({ verdict: { reason: "deadline_passed" } });
    expect(await plans.executes()).toEqual([]);
    await plans.redis.flushall();
    await plans.givenPlan(FAR_MS);
    await plans.givenPermits();
    expect(await consume(GRACE_MS)).toMatchObject({ verdict: { kind: "ok" } });
  });

  it("does not start again because Redis's clock stepped back meanwhile", async () => {
    await plans.givenPlan(WAIT_MS, { aheadMs: HOUR_MS });
    expect(await consume(0)).toMatchObject({ verdict: { kind: "blocked", reason: "missing_both" } });
  });
});

describe("future reservations and executions", () => {
  issuer.useRedis();
  const burst = { kind: "count", reason: "burst", window_ms: 300_000, max: 2 } satisfies Limit;
  const daily: Limit = { kind: "day", reason: "daily", amount: "qty", max: 10n };

  const scoresOf = async (key: string) =>
    (await issuer.redis.zrange(key, 0, -1, "WITHSCORES")).filter((_, index) => index % 2 === 1).map(Number);
  const keep = () =>
    keepBooks({
      redis: issuer.redis,
      keys,
      issuer: "governor",
      reserveTtlMs: issuer.RESERVE_TTL_MS,
      charges: true,
      symbols: [SYMBOL],
      onCorrection: () => undefined,
    });

  it("count in every window while they wait for the bookkeeping", async () => {
    const ages = fc.array(fc.constantFrom(-HOUR_MS, -1_000, 1_000, 200_000, 400_000), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(ages, async (agesMs) => {
        const { redis, reservations, granted, publish } = issuer;
        await redis.flushall();
        await issuer.createGroups();
        const now = Date.now();
        for (const [index, ageMs] of agesMs.entries())
          await redis.zadd(reservations.executions, now - ageMs, `result:${index}-0`);
        const counted = agesMs.filter((ageMs) => ageMs <= burst.window_ms).length;
        const { kind } = await issuer.issue(granted({ qty: 1n }, [burst]), await publish());
        expect(kind).toBe(counted < burst.max ? "granted" : "denied");
      }),
      { numRuns: 40 },
    );
  });

  it("stay reserved while they wait for the bookkeeping", async () => {
    const { redis, reservations, grant, granted, publish, OTHER_PLAN } = issuer;
    await redis.zadd(reservations.expiry, Date.now() + HOUR_MS, await grant(PLAN, { qty: 8n }));
    const answer = granted({ qty: 3n }, [daily]);
    expect(await issuer.issue(answer, await publish(OTHER_PLAN), OTHER_PLAN)).toMatchObject({
      kind: "denied",
      reason: "daily",
    });
  });

  it("count as of now when the books are kept, once, and age from there", async () => {
    const { redis, reservations, grant } = issuer;
    const ahead = Date.now() + HOUR_MS;
    const attempt = await grant(PLAN, { qty: 8n });
    await redis.zadd(
      reservations.executions,
      ahead,
      "result:1-0",
      ahead,
      attempt,
      Date.now() - 1_000,
      "result:2-0",
    );
    await redis.zadd(reservations.expiry, ahead, attempt);
    const from = Date.now();
    await keep();
    const now = Date.now();
    const executed = await scoresOf(reservations.executions);
    const [expires = Number.NaN] = await scoresOf(reservations.expiry);
    expect(executed).toHaveLength(3);
    expect(executed.filter((at) => at >= from && at <= now)).toHaveLength(2);
    expect(expires - issuer.RESERVE_TTL_MS).toBeGreaterThanOrEqual(from);
    expect(expires - issuer.RESERVE_TTL_MS).toBeLessThanOrEqual(now);
    expect(await redis.hget(reservations.totals, "reserved:qty")).toBe("8");
    const before = await issuer.keyspace();
    await keep();
    expect(await issuer.keyspace()).toEqual(before);
  });

  it("leave a day's charges in force when the day was tomorrow's", async () => {
    const { redis, reservations, granted, publish } = issuer;
    const tomorrow = Math.floor(Date.now() / (24 * HOUR_MS)) + 1;
    await redis.hset(reservations.totals, { day: tomorrow, "charged:qty": 8 });
    const answer = granted({ qty: 3n }, [daily]);
    expect(await issuer.issue(answer, await publish())).toEqual({ kind: "denied", reason: "daily" });
    const result = await issuer.publishResult();
    const executed = { amounts: { qty: 1n }, atMs: Date.now() };
    await issuer
      .issuerOn(redis)
      .settle({ planId: PLAN, symbol: SYMBOL, attempt: "", entryId: result, placed: true }, executed);
    expect(await redis.hgetall(reservations.totals)).toEqual({
      day: String(tomorrow - 1),
      "charged:qty": "9",
      seal: expect.any(String) as string,
    });
  });
});
