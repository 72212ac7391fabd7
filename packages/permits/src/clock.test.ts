/** What the permit scripts make of times in the future: Redis's clock was ahead when they were written, or stepped back. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Limit } from "./issue.ts";
import * as issuer from "./issuer.fixture.ts";
import { ATTEMPT, FAR_MS, GRACE_MS, keys, PLAN, startPlans, SYMBOL } from "./plan.fixture.ts";

const HOUR_MS = 3_600_000;
/** A reservation of the fixture's issuer runs out after this. */
const RESERVE_TTL_MS = 120_000;
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

  it("does not begin anew because Redis's clock stepped back meanwhile", async () => {
    await plans.givenPlan(WAIT_MS, { aheadMs: HOUR_MS });
    expect(await consume(0)).toMatchObject({ verdict: { kind: "blocked", reason: "missing_both" } });
  });
});

describe("reservations and executions of the future", () => {
  issuer.useRedis();
  const burst: Limit = { kind: "count", reason: "burst", window_ms: 300_000, max: 2 };
  const daily: Limit = { kind: "day", reason: "daily", amount: "qty", max: 10n };

  it("count as of now, once, and age from there", async () => {
    const { redis, reservations, granted, publish } = issuer;
    const ahead = Date.now() + HOUR_MS;
    await redis.zadd(reservations.executions, ahead, "result:1-0", ahead, "result:2-0");
    await redis.zadd(reservations.expiry, ahead, "3-0");
    const answer = granted({ qty: 1n }, [burst]);
    expect(await issuer.issue(answer, await publish())).toEqual({
      kind: "denied",
      reason: "burst",
      byOrders: true,
    });
    const now = Date.now();
    const scores = async (key: string) =>
      (await redis.zrange(key, 0, -1, "WITHSCORES")).filter((_, index) => index % 2 === 1).map(Number);
    const executed = await scores(reservations.executions);
    expect(Math.max(...executed)).toBeLessThanOrEqual(now);
    expect(Math.max(...(await scores(reservations.expiry)))).toBeLessThanOrEqual(now + RESERVE_TTL_MS);
    await issuer.issue(answer, await publish(issuer.OTHER_PLAN), issuer.OTHER_PLAN);
    expect(await scores(reservations.executions)).toEqual(executed);
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
