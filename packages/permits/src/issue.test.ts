import { utcDay } from "@quantum/contract";
import { describe, expect, it } from "vitest";
import type { Limit } from "./issue.ts";
import {
  keyspace,
  deliverAll,
  denied,
  grant,
  granted,
  issue,
  issuerOn,
  keys,
  OTHER_PLAN,
  pendingEntries,
  PERMIT_TTL_SEC,
  PLAN,
  publish,
  redis,
  reservations,
  second,
  SYMBOL,
  total,
  useRedis,
} from "./issuer.fixture.ts";

const FIVE_MINUTES_MS = 300_000;

const burst = (max: number): Limit => {
  return { kind: "count", reason: "burst_limit_exceeded", window_ms: FIVE_MINUTES_MS, max };
};
const daily = (max: number | bigint): Limit => {
  return { kind: "day", reason: "daily_limit_exceeded", amount: "qty", max: BigInt(max) };
};

useRedis();

describe("issue", () => {
  it("writes permit, reservation, stamp, wake-up and ack of a granted plan", async () => {
    const attempt = await publish();
    expect(await issue(granted({ qty: 5n, notional: 7n }), attempt)).toEqual({ kind: "granted" });

    const permit = (await redis.get(keys.permit("governor", PLAN))) ?? "";
    expect(permit).toMatch(
      new RegExp(
        `^{"granted": true, "symbol": "BTCUSDT", "decision": "EXECUTE", "computed_qty": 0.0015, "consumed": false, ` +
          `"created_at": \\d{10}\\.\\d{3}, "attempt": "${attempt}"}$`,
      ),
    );
    expect(await redis.ttl(keys.permit("governor", PLAN))).toBeCloseTo(PERMIT_TTL_SEC, -1);
    expect(await redis.hgetall(reservations.open)).toEqual({ [attempt]: '{"qty":"5","notional":"7"}' });
    expect(await redis.hgetall(reservations.totals)).toEqual({
      "reserved:qty": "5",
      "reserved:notional": "7",
      seal: expect.any(String) as string,
    });
    expect(await redis.zrange(reservations.executions, 0, -1)).toEqual([attempt]);
    expect(await redis.hgetall(keys.plan(PLAN))).toMatchObject({
      governor_verdict: "granted",
      governor_reason: "within_limits",
    });
    const [wake] = await redis.xrange(keys.streams.permit, "-", "+");
    expect(wake?.[1]).toEqual(
      expect.arrayContaining([
        "plan_id",
        PLAN,
        "issuer",
        "governor",
        "verdict",
        "granted",
        "attempt",
        attempt,
      ]),
    );
    expect(await pendingEntries(keys.streams.plan)).toBe(0);
  });

  it("denies the governor's way without touching the permit key, P3.3's way in it", async () => {
    expect(await issue(denied, await publish())).toEqual({ kind: "denied", reason: "no_position" });
    expect(await redis.exists(keys.permit("governor", PLAN))).toBe(0);
    expect(JSON.parse((await redis.get(keys.block("governor", PLAN))) ?? "")).toMatchObject({
      reason: "no_position",
      symbol: SYMBOL,
      context: { amt: 0 },
    });
    expect(await redis.exists(reservations.open)).toBe(0);

    const attempt = await publish(OTHER_PLAN);
    await issuerOn(redis, "p33").issue({ planId: OTHER_PLAN, symbol: SYMBOL, attempt }, denied);
    expect(JSON.parse((await redis.get(keys.permit("p33", OTHER_PLAN))) ?? "")).toMatchObject({
      allow: false,
      reason: "no_position",
    });
    expect(await redis.exists(keys.block("p33", OTHER_PLAN))).toBe(0);
  });

  it("changes nothing when run again, even after SCRIPT FLUSH", async () => {
    const attempt = await publish();
    await issue(granted(), attempt);
    const before = await keyspace();
    await redis.script("FLUSH");
    expect(await issue(granted(), attempt)).toEqual({ kind: "replayed" });
    expect(await issue(denied, attempt)).toEqual({ kind: "replayed" });
    expect(await keyspace()).toEqual(before);
  });

  it.each(["BLOCKED", "PERMITTED", "DRY_RUN", "EXECUTED"])(
    "writes no permit for a plan that is %s",
    async (state) => {
      const attempt = await publish();
      await redis.hset(keys.plan(PLAN), { state });
      expect(await issue(granted(), attempt)).toEqual({ kind: "ended" });
      expect(await redis.exists(keys.permit("governor", PLAN), reservations.open, keys.streams.permit)).toBe(
        0,
      );
      expect(await pendingEntries(keys.streams.plan)).toBe(0);
    },
  );

  it("writes no permit for an attempt that a later one has replaced", async () => {
    const stale = await publish();
    await publish();
    expect(await issue(granted(), stale)).toEqual({ kind: "ended" });
    expect(await redis.exists(keys.permit("governor", PLAN), reservations.open)).toBe(0);
  });

  it("writes no permit for an attempt that spent its permits before its record was swept away", async () => {
    const attempt = await publish(PLAN, { record: false });
    await redis.set(keys.spent(PLAN), `OK ${attempt} 1769301008977 0.01`);
    expect(await issue(granted(), attempt)).toEqual({ kind: "ended" });
    expect(await redis.exists(keys.permit("governor", PLAN))).toBe(0);
  });

  describe("a plan without a record", () => {
    it("is answered, and leaves none", async () => {
      const attempt = await publish(PLAN, { record: false });
      expect(await issue(granted(), attempt)).toEqual({ kind: "granted" });
      expect(await redis.exists(keys.plan(PLAN))).toBe(0);
      expect(await redis.hgetall(reservations.open)).toEqual({ [PLAN]: '{"qty":"5"}' });
    });

    it("gets no second permit after the first was used", async () => {
      const attempt = await publish(PLAN, { record: false });
      await issue(granted(), attempt);
      await redis.del(keys.permit("governor", PLAN));
      const before = await keyspace();
      expect(await issue(granted(), attempt)).toEqual({ kind: "replayed" });
      expect(await keyspace()).toEqual(before);
    });

    it("is too old to answer once a permit of its age would have run out", async () => {
      const old = `${Date.now() - PERMIT_TTL_SEC * 1000 - 1}-0`;
      const attempt = await publish(PLAN, { record: false, id: old });
      expect(await issue(granted(), attempt)).toEqual({ kind: "ended" });
      expect(await redis.exists(keys.permit("governor", PLAN), reservations.open)).toBe(0);
      expect(await pendingEntries(keys.streams.plan)).toBe(0);
    });

    it("that can be consumed no more gets no permit and no reservation: its record or the whole keyspace is lost", async () => {
      const swept = (await redis.xadd(keys.streams.plan, "*", "plan_id", PLAN, "attempt_no", "1")) ?? "";
      await deliverAll(keys.streams.plan);
      expect(await issue(granted(), swept)).toEqual({ kind: "ended" });
      expect(await pendingEntries(keys.streams.plan)).toBe(0);
      const lost = await publish(PLAN, { record: false });
      await redis.flushall();
      expect(await issue(granted(), lost)).toEqual({ kind: "ended" });
      expect(await redis.dbsize()).toBe(0);
    });

    it("that is published again replaces its reservation", async () => {
      await issue(granted({ qty: 5n }), await publish(PLAN, { record: false }));
      await issue(granted({ qty: 8n }), await publish(PLAN, { record: false }));
      expect(await total("reserved:qty")).toBe(8);
    });
  });

  it.each([
    ["kill_switch_active", () => redis.set(keys.killSwitch, "1")],
    ["kill_switch_active", () => redis.hset(keys.killSwitch, "unreadable", "1")],
    ["disarmed", () => redis.set(keys.disarm, "{}")],
    ["disarmed", () => redis.set(keys.disarmOf(utcDay(Date.now())), "{}")],
  ])("turns a grant into a denial: %s", async (reason, halt) => {
    await halt();
    expect(await issue(granted(), await publish())).toEqual({ kind: "denied", reason });
    expect(await redis.exists(keys.permit("governor", PLAN), reservations.open)).toBe(0);
  });

  it.each(["0", "false", " Off ", "no"])("grants under a kill switch of %j", async (value) => {
    await redis.set(keys.killSwitch, value);
    expect(await issue(granted(), await publish())).toEqual({ kind: "granted" });
  });

  it("lets exactly one of two governors take the last free slot", async () => {
    const attempts = [await publish(PLAN), await publish(OTHER_PLAN)] as const;
    const [one, other] = await Promise.all([
      issuerOn(redis).issue(
        { planId: PLAN, symbol: SYMBOL, attempt: attempts[0] },
        granted({ qty: 5n }, [burst(1)]),
      ),
      issuerOn(second).issue(
        { planId: OTHER_PLAN, symbol: SYMBOL, attempt: attempts[1] },
        granted({ qty: 5n }, [burst(1)]),
      ),
    ]);
    expect([one, other]).toContainEqual({ kind: "granted" });
    expect([one, other]).toContainEqual({ kind: "denied", reason: "burst_limit_exceeded" });
    expect(await total("reserved:qty")).toBe(5);
  });

  it("answers an entry once though two governors answer it at the same time", async () => {
    const attempt = await publish();
    const plan = { planId: PLAN, symbol: SYMBOL, attempt };
    const answers = await Promise.all([
      issuerOn(redis).issue(plan, granted()),
      issuerOn(second).issue(plan, granted()),
    ]);
    expect(answers.map(({ kind }) => kind).toSorted()).toEqual(["granted", "replayed"]);
    expect(await redis.xlen(keys.streams.permit)).toBe(1);
    expect(await total("reserved:qty")).toBe(5);
  });

  it("counts executions in a window that slides", async () => {
    await redis.zadd(
      reservations.executions,
      Date.now() - FIVE_MINUTES_MS - 50,
      "older",
      Date.now() - 290_000,
      "newer",
    );
    expect(await issue(granted({ qty: 5n }, [burst(2)]), await publish())).toEqual({ kind: "granted" });
    expect(await issue(granted({ qty: 5n }, [burst(2)]), await publish(OTHER_PLAN), OTHER_PLAN)).toEqual({
      kind: "denied",
      reason: "burst_limit_exceeded",
    });
  });

  it("names the first limit that is exceeded, with what was used", async () => {
    await grant(OTHER_PLAN, { qty: 5n });
    expect(await issue(granted({ qty: 6n }, [burst(5), daily(10), burst(0)]), await publish())).toEqual({
      kind: "denied",
      reason: "daily_limit_exceeded",
    });
    expect(JSON.parse((await redis.get(keys.block("governor", PLAN))) ?? "")).toMatchObject({
      context: { used: 5, adding: 6, max: 10 },
    });
  });

  it("forgets what was charged on another day, but not what is reserved", async () => {
    await redis.hset(reservations.totals, { day: "1", "charged:qty": "1000", "reserved:qty": "3" });
    expect(await issue(granted({ qty: 7n }, [daily(10)]), await publish())).toEqual({ kind: "granted" });
    expect(
      await issue(granted({ qty: 1n }, [daily(10)]), await publish(OTHER_PLAN), OTHER_PLAN),
    ).toMatchObject({
      kind: "denied",
    });
  });

  it("compares exactly beyond what a double holds", async () => {
    const max = 10n ** 30n + 1n;
    await grant(OTHER_PLAN, { qty: max });
    expect(await redis.hget(reservations.totals, "reserved:qty")).toBe(String(max));
    expect(await issue(granted({ qty: 1n }, [daily(max)]), await publish())).toMatchObject({
      kind: "denied",
    });
  });

  it("counts what versions before this wrote: reservations of numbers, and a total below 0 as 0", async () => {
    const old = await grant(OTHER_PLAN);
    await redis.hset(reservations.open, old, '{"qty":8}');
    await redis.hset(reservations.totals, "reserved:qty", "8");
    expect(await issue(granted({ qty: 3n }, [daily(10)]), await publish())).toMatchObject({ kind: "denied" });
    await redis.zadd(reservations.expiry, Date.now() - 1, old);
    expect(await issue(granted({ qty: 3n }, [daily(10)]), await publish())).toEqual({ kind: "granted" });
    expect(await total("reserved:qty")).toBe(3);
    await redis.hset(reservations.totals, "reserved:qty", "-8");
    expect(await issue(granted({ qty: 11n }, [daily(10)]), await publish())).toMatchObject({
      kind: "denied",
    });
  });

  it("reports a conflict with what others were reserved, and changes nothing", async () => {
    await grant(OTHER_PLAN, { qty: 8n });
    const attempt = await publish();
    const before = await keyspace();
    const answer = granted({ qty: 3n }, [{ kind: "open", amount: "qty", max: 10n }]);
    expect(await issue(answer, attempt)).toEqual({ kind: "conflict", reserved: 8n });
    expect(await keyspace()).toEqual(before);
  });

  it("frees a reservation that has run out", async () => {
    const old = await grant(OTHER_PLAN, { qty: 8n });
    await redis.zadd(reservations.expiry, Date.now() - 1, old);
    expect(await issue(granted({ qty: 9n }, [burst(1), daily(10)]), await publish())).toEqual({
      kind: "granted",
    });
    expect(await total("reserved:qty")).toBe(9);
    expect(await redis.hexists(reservations.open, old)).toBe(0);
    expect(await redis.zscore(reservations.executions, old)).toBeNull();
  });

  it("keeps a reservation that has run out while an order of the symbol is unsettled, and for its time again", async () => {
    const old = await grant(OTHER_PLAN, { qty: 8n });
    await redis.zadd(reservations.expiry, Date.now() - 1, old);
    await redis.zadd(keys.unsettled(SYMBOL), Date.now(), OTHER_PLAN);
    expect(await issue(granted({ qty: 5n }, [daily(10)]), await publish())).toMatchObject({ kind: "denied" });
    expect(await redis.hexists(reservations.open, old)).toBe(1);
    expect(Number(await redis.zscore(reservations.expiry, old))).toBeGreaterThan(Date.now());
  });

  it("does not take an old reservation that ran out for a free slot", async () => {
    const old = await grant(OTHER_PLAN);
    await redis.zadd(reservations.expiry, Date.now() - 1, old);
    await redis.zadd(reservations.executions, Date.now() - 400_000, old, Date.now(), "executed");
    expect(await issue(granted({ qty: 5n }, [burst(1)]), await publish())).toEqual({
      kind: "denied",
      reason: "burst_limit_exceeded",
    });
  });

  it("counts executions only where a limit asks for them", async () => {
    await issue(granted({ qty: 5n }, [daily(9)]), await publish());
    expect(await redis.exists(reservations.executions)).toBe(0);
  });

  it.each([...Object.values(reservations), keys.streams.permit])(
    "changes nothing when %s has another type",
    async (key) => {
      const attempt = await publish();
      await redis.set(key, "text");
      const before = await keyspace();
      await expect(issue(granted({ qty: 5n }, [burst(9), daily(9)]), attempt)).rejects.toThrow("WRONGTYPE");
      expect(await keyspace()).toEqual(before);
    },
  );

  it("writes no permit when the plan's record has another type", async () => {
    const attempt = await publish(PLAN, { record: false });
    await redis.set(keys.plan(PLAN), "text");
    await expect(issue(granted(), attempt)).rejects.toThrow("WRONGTYPE");
    expect(await redis.exists(keys.permit("governor", PLAN), reservations.open)).toBe(0);
  });

  it("replaces what stands at the permit key in another type", async () => {
    await redis.hset(keys.permit("governor", PLAN), "granted", "true");
    expect(await issue(granted(), await publish())).toEqual({ kind: "granted" });
    expect(await redis.type(keys.permit("governor", PLAN))).toBe("string");
  });
});
