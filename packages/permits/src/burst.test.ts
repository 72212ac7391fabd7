/** Whether a denial by the limit of executions was caused by orders, or by reservations that may not lead to orders. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keepBooks } from "./bookkeeping.ts";
import type { Limit } from "./issue.ts";
import {
  keyspace,
  createGroups,
  grant,
  granted,
  issue,
  issuerOn,
  keys,
  PLAN,
  publish,
  publishResult,
  redis,
  reservations,
  RESERVE_TTL_MS,
  SYMBOL,
  useRedis,
} from "./issuer.fixture.ts";

const WINDOW_MS = 300_000;
const burst = (max: number): Limit => {
  return { kind: "count", reason: "burst_limit_exceeded", window_ms: WINDOW_MS, max };
};
const DENIED = { kind: "denied", reason: "burst_limit_exceeded" };
const planNo = (index: number) => (0xa0 + index).toString(16).padStart(16, "0");

useRedis();

const order = async (planId: string, attempt: string) =>
  issuerOn(redis).settle(
    { planId, symbol: SYMBOL, attempt, entryId: await publishResult(planId), placed: true },
    { amounts: { qty: 5n }, atMs: Date.now() },
  );
async function orders(count: number): Promise<void> {
  for (let index = 0; index < count; index++) await order(planNo(index), await grant(planNo(index)));
}
const ask = async (max: number) => issue(granted({ qty: 5n }, [burst(max)]), await publish());
const context = async () =>
  (JSON.parse((await redis.get(keys.block("governor", PLAN))) ?? "null") as { context: unknown }).context;

describe("a limit of executions", () => {
  it("that orders have used up is denied by orders", async () => {
    await orders(2);
    expect(await ask(2)).toEqual({ ...DENIED, byOrders: true });
    expect(await context()).toEqual({ used: 2, adding: 1, max: 2, orders: 2 });
  });

  it.each([true, false])(
    "that reservations have used up is denied, not by orders; with a record: %s",
    async (record) => {
      await orders(1);
      await grant(planNo(7), undefined, { record });
      expect(await ask(2)).toEqual(DENIED);
      expect(await context()).toEqual({ used: 2, adding: 1, max: 2, orders: 1 });
    },
  );

  it("of 0 is denied without any order, and by orders only after one", async () => {
    expect(await ask(0)).toEqual(DENIED);
    await orders(1);
    expect(await ask(0)).toEqual({ ...DENIED, byOrders: true });
  });

  it("counts no orders from before its window", async () => {
    await orders(1);
    await redis.zadd(reservations.executions, Date.now() - WINDOW_MS - 50, "result:1-0");
    await grant(planNo(7));
    expect(await ask(2)).toEqual(DENIED);
  });

  it("counts an order whose result was lost, and whose plan's record tells of it", async () => {
    const attempt = await grant(planNo(7));
    const ended_at_ms = Date.now() - 40_000;
    await redis.hset(keys.plan(planNo(7)), { state: "EXECUTED", attempt, ended_at_ms });
    await redis.zadd(reservations.expiry, Date.now() + RESERVE_TTL_MS - 60_000, attempt);
    await keep();
    expect(await ask(1)).toEqual({ ...DENIED, byOrders: true });
  });

  it.each([true, false])(
    "counts no reservation that was lost as an order; with a record: %s",
    async (record) => {
      await grant(planNo(7), undefined, { record });
      await redis.del(reservations.open);
      expect(await ask(1)).toEqual(DENIED);
      await keep();
      expect(await redis.exists(reservations.executions)).toBe(0);
    },
  );

  it("says of another denial nothing of orders", async () => {
    await orders(2);
    const daily: Limit = { kind: "day", reason: "daily_limit_exceeded", amount: "qty", max: 0n };
    expect(await issue(granted({ qty: 5n }, [daily, burst(2)]), await publish())).toEqual({
      kind: "denied",
      reason: "daily_limit_exceeded",
    });
  });

  it("writes nothing but the denial, and nothing when it is asked again", async () => {
    await orders(2);
    const attempt = await publish();
    const books = async () =>
      Object.entries(await keyspace()).filter(([name]) => Object.values<string>(reservations).includes(name));
    const before = await books();
    expect(await issue(granted({ qty: 5n }, [burst(2)]), attempt)).toEqual({ ...DENIED, byOrders: true });
    expect(await books()).toEqual(before);
    expect(await redis.exists(keys.permit("governor", PLAN), keys.disarm)).toBe(0);
    const after = await keyspace();
    expect(await issue(granted({ qty: 5n }, [burst(2)]), attempt)).toEqual({ kind: "replayed" });
    expect(await keyspace()).toEqual(after);
  });

  it("denies by both, and by orders exactly where they alone reach it", async () => {
    const count = fc.integer({ min: 0, max: 4 });
    await fc.assert(
      fc.asyncProperty(count, count, fc.integer({ min: 0, max: 5 }), async (executed, reserved, max) => {
        await redis.flushall();
        await createGroups();
        await orders(executed);
        for (let index = 0; index < reserved; index++) await grant(planNo(10 + index));
        const answer = await ask(max);
        const fits = executed + reserved < max;
        const byOrders = executed > 0 && executed >= max;
        expect(answer).toEqual(fits ? { kind: "granted" } : { ...DENIED, ...(byOrders && { byOrders }) });
      }),
      { numRuns: 25 },
    );
  });
});

const keep = () =>
  keepBooks({
    redis,
    keys,
    issuer: "governor",
    reserveTtlMs: RESERVE_TTL_MS,
    charges: true,
    symbols: [SYMBOL],
    onCorrection: () => undefined,
  });
