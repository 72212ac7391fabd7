/**
 * lua/permits/balance and release_ended through their typed wrappers: what they correct, and what they must not touch.
 */
import * as fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { type BookkeepingOptions, keepBooks } from "./bookkeeping.ts";
import {
  keyspace,
  grant,
  issuerOn,
  keys,
  OTHER_PLAN,
  PLAN,
  publishResult,
  redis,
  RESERVE_TTL_MS,
  reservations,
  SYMBOL,
  total,
  useRedis,
} from "./issuer.fixture.ts";

useRedis();

let corrections: string[];
beforeEach(() => {
  corrections = [];
});

async function keep(over: Partial<BookkeepingOptions> = {}): Promise<void> {
  await keepBooks({
    redis,
    keys,
    issuer: "governor",
    reserveTtlMs: RESERVE_TTL_MS,
    charges: true,
    symbols: [SYMBOL],
    onCorrection: ({ what }) => void corrections.push(what),
    ...over,
  });
}

const { open, expiry, totals, executions } = reservations;
const damaged = {
  deleted: async (key: string) => void (await redis.del(key)),
  mistyped: async (key: string) => void (await redis.multi().del(key).lpush(key, "not yours").exec()),
};

/** A reservation made `ageMs` ago, so old that its plan must have ended. */
async function grantOld(planId = PLAN, ageMs = 60_000): Promise<string> {
  const attempt = await grant(planId, { qty: 5n });
  await redis.zadd(expiry, Date.now() + RESERVE_TTL_MS - ageMs, attempt);
  return attempt;
}
const utcDay = (ms: number) => Math.floor(ms / (24 * 3_600_000));
const ended = (planId: string, state: string, agoMs: number) =>
  redis.hset(keys.plan(planId), { state, ended_at_ms: Date.now() - agoMs });

describe("sums", () => {
  it("that agree are left as they are, and so is everything else", async () => {
    await grant(PLAN, { qty: 5n, notional: 10n ** 30n });
    await grant(OTHER_PLAN, { qty: 2n });
    const before = await keyspace();
    await keep();
    expect(await keyspace()).toEqual(before);
    expect(corrections).toEqual([]);
  });

  it.each(["deleted", "mistyped"] as const)("of reservations that are %s are released", async (how) => {
    await grant(PLAN, { qty: 5n });
    await damaged[how](open);
    await keep();
    expect(await total("reserved:qty")).toBe(0);
    expect(await redis.exists(open, expiry, executions)).toBe(0);
    expect(corrections).not.toEqual([]);
    await grant(OTHER_PLAN, { qty: 3n });
    expect(await total("reserved:qty")).toBe(3);
  });

  it.each(["deleted", "mistyped"] as const)("that are %s are rebuilt", async (how) => {
    await grant(PLAN, { qty: 5n });
    await grant(OTHER_PLAN, { qty: 2n });
    await damaged[how](totals);
    await keep();
    expect(await total("reserved:qty")).toBe(7);
    expect(await total("releases")).toBe(1);
  });

  it.each(["deleted", "mistyped"] as const)("whose times are %s run out later", async (how) => {
    const attempt = await grant(PLAN, { qty: 5n });
    await damaged[how](expiry);
    await keep();
    const leftMs = Number(await redis.zscore(expiry, attempt)) - Date.now();
    expect(Math.abs(leftMs - RESERVE_TTL_MS)).toBeLessThan(10_000);
    expect(await total("reserved:qty")).toBe(5);
  });

  it("are those of what is open, whatever else was written there", async () => {
    const amount = fc.oneof(fc.bigInt(0n, 10n ** 40n).map(String), fc.constantFrom("x", "-3", ""));
    const hash = fc.dictionary(fc.constantFrom("1-0", "2-0", PLAN), fc.record({ qty: amount }), {
      maxKeys: 3,
    });
    await fc.assert(
      fc.asyncProperty(hash, amount, fc.boolean(), async (reserved, sum, readable) => {
        await redis.del(open, totals, expiry);
        for (const [attempt, amounts] of Object.entries(reserved))
          await redis.hset(open, attempt, readable ? JSON.stringify(amounts) : "[[");
        await redis.hset(totals, { "reserved:qty": sum, "charged:qty": "9", day: "1" });
        await keep();
        const left = Object.values(await redis.hgetall(open)).map(
          (text) => JSON.parse(text) as { qty: string },
        );
        // A negative number counts as 0, as in every script.
        const count = (text: string | null) => (text?.startsWith("-") ? 0n : BigInt(text ?? "0"));
        const wanted = left.reduce((total, { qty }) => total + count(qty), 0n);
        expect(count(await redis.hget(totals, "reserved:qty"))).toBe(wanted);
        expect(await redis.hget(totals, "charged:qty")).toBe("9");
        expect(await redis.zcard(expiry)).toBe(left.length);
      }),
      { numRuns: 60 },
    );
  });
});

describe("a reservation without a result", () => {
  it.each(["WAITING", "PERMITTED", "SENT", "UNKNOWN"])("is kept while its plan is %s", async (state) => {
    await grantOld();
    await redis.hset(keys.plan(PLAN), { state });
    await keep();
    expect(await total("reserved:qty")).toBe(5);
  });

  it.each(["BLOCKED", "DRY_RUN", "NOT_PLACED", "REJECTED"])("ends with its plan: %s", async (state) => {
    await grantOld();
    await ended(PLAN, state, 11_000);
    await keep();
    expect(await total("reserved:qty")).toBe(0);
    expect(await redis.hexists(totals, "charged:qty")).toBe(0);
    expect(await redis.exists(open, expiry, executions)).toBe(0);
  });

  it("is kept while the result may be on its way", async () => {
    await grantOld();
    await ended(PLAN, "BLOCKED", 5_000);
    await keep();
    await ended(PLAN, "EXECUTED", 31_000);
    await keep();
    expect(await total("reserved:qty")).toBe(5);
  });

  it("is charged as reserved if its order was executed, once, even if the result comes after all", async () => {
    const attempt = await grantOld();
    await ended(PLAN, "EXECUTED", 36_000);
    const wasToday = utcDay(Date.now() - 36_000) === utcDay(Date.now());
    await keep();
    await keep();
    const executed = { amounts: { qty: 4n }, atMs: Date.now() };
    const entryId = await publishResult();
    await issuerOn(redis).settle({ planId: PLAN, symbol: SYMBOL, attempt, entryId, placed: true }, executed);
    // Just after midnight, the order was one of yesterday's.
    expect(await redis.hmget(totals, "reserved:qty", "charged:qty")).toEqual(["0", wasToday ? "5" : null]);
    expect(await redis.zrange(executions, 0, -1)).toEqual([`attempt:${attempt}`]);
  });

  it("is not charged by an issuer that charges nothing", async () => {
    await grantOld();
    await ended(PLAN, "EXECUTED", 36_000);
    await keep({ charges: false });
    expect(await redis.hgetall(totals)).toMatchObject({ "reserved:qty": "0" });
    expect(await redis.hexists(totals, "charged:qty")).toBe(0);
  });

  it("ends if its plan is not known any more, or waits in another attempt", async () => {
    await grantOld();
    await grantOld(OTHER_PLAN);
    await redis.del(keys.plan(PLAN));
    await redis.hset(keys.plan(OTHER_PLAN), { attempt: "9-9" });
    await keep();
    expect(await total("reserved:qty")).toBe(0);
  });

  it.each([
    ["the plan is handed over", () => redis.hset(keys.handedOver, PLAN, "[]")],
    ["an order of the symbol is not settled", () => redis.zadd(keys.unsettled(SYMBOL), 1, OTHER_PLAN)],
    ["its plan's entry is gone: nothing tells what it is for", () => redis.del(keys.streams.plan)],
    [
      "it is young",
      async () => redis.zadd(expiry, Date.now() + RESERVE_TTL_MS, (await redis.hkeys(open))[0] ?? ""),
    ],
  ])("is kept although its plan is not known, while %s", async (_, hold) => {
    await grantOld();
    await redis.del(keys.plan(PLAN));
    await hold();
    await keep();
    expect(await total("reserved:qty")).toBe(5);
  });

  it("of a plan that has no record runs out by itself", async () => {
    await grant(PLAN, { qty: 5n }, { record: false });
    await redis.zadd(expiry, Date.now() + 10_000, PLAN);
    await keep();
    expect(await total("reserved:qty")).toBe(5);
  });
});
