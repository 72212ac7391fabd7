/**
 * lua/orders ask, note and adopt through their typed wrappers: every reply, what must not change, repeated, and with
 * stepped clocks.
 */
import { askRedisTime } from "@quantum/redis";
import { describe, expect, it } from "vitest";
import { createEvents } from "./events.ts";
import {
  EXECUTED,
  keys,
  NOT_PLACED,
  ORDER,
  orderHash,
  orders,
  PLAN,
  planHash,
  redis,
  requestOf,
  resultCount,
  results,
  SYMBOL,
  unchanged,
  useRedis,
  VENUE_MS,
  WINDOW_MS,
  wrongType,
} from "./order-scripts.fixture.ts";
import { keepLateOrders } from "./late-orders.ts";
import type { KnownOrder } from "./order.ts";
import { createQueries, type Note } from "./queries.ts";

useRedis();

const ABSENCE_MS = 60_000;
const DAY_MS = 24 * 3_600_000;
const corrected: string[] = [];
const queries = () => {
  const events = createEvents();
  corrected.length = 0;
  events.on("corrected", ({ corrects }) => void corrected.push(corrects));
  return createQueries({ redis, keys, events });
};
const note = (answer: Note["answer"], elapsedMs = 0) =>
  queries().note(ORDER, { answer, elapsedMs, absenceMs: ABSENCE_MS, pauseMs: 5_000 });
const take = () => queries().take(PLAN, SYMBOL);
const set = (fields: Record<string, string | number>) => redis.hset(keys.order(PLAN), fields);
const nowMs = () => askRedisTime(redis);

async function inDoubt(): Promise<void> {
  await orders.claim(await requestOf());
  await orders.doubt(ORDER, "answer_ambiguous");
}
async function absent(): Promise<KnownOrder> {
  await inDoubt();
  await orders.settle(ORDER, NOT_PLACED, "query");
  const order = await queries().read(PLAN);
  if (order === undefined) throw new Error("it is queried");
  return order;
}

describe("ask", () => {
  it("ASK: gives the question to one caller, and then to none until it is due", async () => {
    await inDoubt();
    const both = await Promise.all([take(), take()]);
    expect(both).toEqual([
      {
        order: expect.objectContaining({ ...ORDER, state: "UNKNOWN", positionAmt: "0.01" }),
        queriedBefore: 0,
      },
      { dueInMs: expect.closeTo(3_000, -2) },
    ]);
    await set({ next_ask_at_ms: 1 });
    expect(await take()).toMatchObject({ queriedBefore: 1 });
  });

  it("LATER: leaves a claim to whoever made it until its window has ended, by Redis's clock", async () => {
    await orders.claim(await requestOf());
    await unchanged(async () => expect(await take()).toEqual({ dueInMs: expect.closeTo(WINDOW_MS, -3) }));
    await set({ claimed_at_ms: (await nowMs()) - WINDOW_MS - 1_000 });
    expect(await take()).toMatchObject({ order: { state: "SENT" } });
  });

  it.each(["next_ask_at_ms", "claimed_at_ms"])(
    "ASK: takes %s an hour ahead for another clock's",
    async (field) => {
      await orders.claim(await requestOf());
      if (field === "next_ask_at_ms") await orders.doubt(ORDER, "answer_ambiguous");
      await set({ [field]: (await nowMs()) + 3_600_000 });
      expect(await take()).toMatchObject({ order: { planId: PLAN } });
    },
  );

  it("ASK: asks for a day about an order that ended by evidence, and then never again", async () => {
    await absent();
    expect(await redis.zrange(keys.absent(SYMBOL), 0, -1)).toEqual([PLAN]);
    expect(await take()).toMatchObject({ order: { state: "NOT_PLACED" }, queriedBefore: 0 });
    await set({ settled_at_ms: (await nowMs()) - DAY_MS - 1_000 });
    expect(await take()).toEqual({ dueInMs: Infinity });
    expect(await redis.exists(keys.absent(SYMBOL), keys.absentClaims)).toBe(0);
  });

  it("NOTHING: of an order that is settled, or unknown", async () => {
    expect(await take()).toEqual({ dueInMs: Infinity });
    await inDoubt();
    await orders.settle(ORDER, EXECUTED, "query");
    await unchanged(async () => expect(await take()).toEqual({ dueInMs: Infinity }));
  });

  it("NOTHING: without an order key the copy of its claim stays", async () => {
    await absent();
    await redis.del(keys.order(PLAN));
    expect(await take()).toEqual({ dueInMs: Infinity });
    expect(await redis.hkeys(keys.absentClaims)).toEqual([PLAN]);
    expect(await redis.exists(keys.absent(SYMBOL))).toBe(0);
  });

  it.each([keys.order(PLAN), keys.absent(SYMBOL), keys.absentClaims])(
    "fails whole on a wrong type of %s",
    async (key) => {
      await inDoubt();
      await wrongType(key);
      await unchanged(() => expect(take()).rejects.toThrow("WRONGTYPE"));
    },
  );
});

describe("note", () => {
  /** Makes this much time pass since the last answer, by Redis's clock. */
  const passed = async (ms: number) => set({ absent_at_ms: (await nowMs()) - ms });

  it("OPEN, then ABSENT: once the answers are far enough apart by both clocks", async () => {
    await inDoubt();
    expect(await note("absent", ABSENCE_MS)).toEqual({ absentMs: 0, isLongEnough: false });
    await passed(30_000);
    expect(await note("absent", 30_000)).toMatchObject({ absentMs: 30_000, isLongEnough: false });
    await passed(29_000);
    expect(await note("absent", 29_500)).toMatchObject({ isLongEnough: false });
    await passed(2_000);
    expect(await note("absent", 2_000)).toMatchObject({ isLongEnough: true });
  });

  it.each([
    ["Redis's clock steps forward", 3_600_000, 250, 250],
    ["Redis's clock steps back", -3_600_000, 250, 0],
    ["the asker was restarted", 60_000, 0, 0],
    ["another replica asked in between", 1_000, 5_000, 1_000],
  ])("OPEN: counts less, not more, when %s", async (_, byRedisMs, elapsedMs, countedMs) => {
    await inDoubt();
    await note("absent");
    await passed(byRedisMs);
    const noted = await note("absent", elapsedMs);
    expect(noted?.isLongEnough).toBe(false);
    expect(Math.abs((noted?.absentMs ?? -1) - countedMs)).toBeLessThanOrEqual(
      countedMs === 1_000 ? 1_000 : 0,
    );
  });

  it("OPEN: starts again once the order was there, and is not changed by inconclusive answers", async () => {
    await inDoubt();
    await note("absent");
    await passed(59_000);
    await note("absent", 59_000);
    await note("none", 0);
    expect((await orderHash())["absent_ms"]).toBe("59000");
    await note("there", 0);
    expect(await note("absent", 60_000)).toEqual({ absentMs: 0, isLongEnough: false });
  });

  it("asks again when the absence may be long enough, if that is before the pause", async () => {
    await inDoubt();
    await note("absent");
    await passed(59_000);
    await note("absent", 59_000);
    const next = Number((await orderHash())["next_ask_at_ms"]);
    expect(next - (await nowMs())).toBeLessThanOrEqual(2_000);
  });

  it("SETTLED: changes nothing", async () => {
    await unchanged(async () => expect(await note("absent")).toBeUndefined());
    await inDoubt();
    await orders.settle(ORDER, EXECUTED, "query");
    await unchanged(async () => expect(await note("absent")).toBeUndefined());
  });

  it("fails whole on a wrong type of the order", async () => {
    await wrongType(keys.order(PLAN));
    await unchanged(() => expect(note("absent")).rejects.toThrow("WRONGTYPE"));
  });
});

describe("adopt", () => {
  it("ADOPTED: a second result corrects the first, once, with record, order and index (I3)", async () => {
    const order = await absent();
    const [first] = await redis.xrange(results, "-", "+");
    await queries().adopt(order, EXECUTED);
    expect(corrected).toEqual([first?.[0]]);
    const [, second] = await redis.xrange(results, "-", "+");
    expect(Object.fromEntries(pairs(second?.[1] ?? []))).toMatchObject({
      plan_id: PLAN,
      attempt: ORDER.attempt,
      outcome: "EXECUTED",
      executed: "True",
      error: "",
      order_id: EXECUTED.orderId,
      executed_qty: "0.010",
      corrects: first?.[0],
    });
    expect(await orderHash()).toMatchObject({ state: "EXECUTED", reason: "", order_id: EXECUTED.orderId });
    expect(await redis.ttl(keys.order(PLAN))).toBeGreaterThan(0);
    expect(await planHash()).toMatchObject({ state: "EXECUTED", executed_qty: "0.010" });
    expect(await redis.exists(keys.absent(SYMBOL), keys.absentClaims)).toBe(0);
    await redis.script("FLUSH");
    await unchanged(() => queries().adopt(order, EXECUTED));
    expect([await resultCount(), corrected]).toEqual([2, []]);
  });

  it("NOT_ABSENT: corrects no other result", async () => {
    const order = await absent();
    await unchanged(() => queries().adopt({ ...order, attempt: "1-0" }, EXECUTED));
    await set({ reason: "rate_limited" });
    await unchanged(() => queries().adopt(order, EXECUTED));
    expect(corrected).toEqual([]);
  });

  it.each([keys.order(PLAN), keys.absent(SYMBOL), keys.absentClaims, keys.plan(PLAN), results])(
    "fails whole on a wrong type of %s",
    async (key) => {
      const order = await absent();
      await wrongType(key);
      await unchanged(() => expect(queries().adopt(order, EXECUTED)).rejects.toThrow("WRONGTYPE"));
    },
  );
});

it("ADOPTED: says that the venue capped the order", async () => {
  await orders.claim(await requestOf({ intent: { side: "SELL", quantity: "0.010", cappedByVenue: true } }));
  await orders.settle(ORDER, NOT_PLACED, "query");
  await set({ next_ask_at_ms: 1 });
  const order = await queries().read(PLAN);
  if (order === undefined) throw new Error("the claim is gone");
  await queries().adopt(order, EXECUTED);
  const [, correction] = await redis.xrange(results, "-", "+");
  expect(Object.fromEntries(pairs(correction?.[1] ?? []))).toMatchObject({
    corrects: expect.any(String),
    capped_by_venue: "True",
  });
});

describe("keep_absent", () => {
  /** @returns what it could not do */
  const keep = async () => {
    const failures: string[] = [];
    const onError = (doing: string) => void failures.push(doing);
    await keepLateOrders({ redis, keys, onError }, new Set([SYMBOL]));
    return failures;
  };

  it("KEPT: changes nothing where all is there", async () => {
    await absent();
    await redis.sadd(keys.orderSymbols, SYMBOL);
    await unchanged(async () => expect(await keep()).toEqual([]));
  });

  it("KEPT: index, copy and symbol are rebuilt from one another", async () => {
    await absent();
    await redis.sadd(keys.orderSymbols, SYMBOL);
    for (const key of [keys.absent(SYMBOL), keys.absentClaims, keys.orderSymbols]) {
      await unchanged(async () => {
        await redis.del(key);
        expect(await keep()).toEqual([]);
      });
    }
  });

  it("RESTORED: the order key is rebuilt, as it was, with a time to live", async () => {
    await absent();
    await redis.sadd(keys.orderSymbols, SYMBOL);
    for (const damage of [() => redis.del(keys.order(PLAN)), () => wrongType(keys.order(PLAN))]) {
      const expiresAtMs = await redis.pexpiretime(keys.order(PLAN));
      await unchanged(async () => {
        await damage();
        expect(await keep()).toEqual([]);
        expect(await keep()).toEqual([]);
        expect(await redis.pexpiretime(keys.order(PLAN))).toBeGreaterThanOrEqual(expiresAtMs);
        await redis.pexpireat(keys.order(PLAN), expiresAtMs);
      });
    }
  });

  it("ENDED: strikes off what has been corrected, and touches no order key", async () => {
    const order = await absent();
    const copy = await redis.hgetall(keys.absentClaims);
    await queries().adopt(order, EXECUTED);
    await unchanged(async () => {
      await redis.hset(keys.absentClaims, copy);
      await redis.zadd(keys.absent(SYMBOL), 1, PLAN);
      expect(await keep()).toEqual([]);
    });
  });

  it("LOST: says so, and strikes it off", async () => {
    await absent();
    await redis.del(keys.order(PLAN), keys.absentClaims);
    expect(await keep()).toEqual([`look after the late order of plan ${PLAN}`]);
    expect(await redis.exists(keys.absent(SYMBOL))).toBe(0);
    await unchanged(async () => expect(await keep()).toEqual([]));
  });
});

describe("the index of orders to query", () => {
  it("lists what was claimed and not settled, and what ended by evidence, as Redis knows it", async () => {
    expect(await queries().list()).toEqual([]);
    await redis.sadd(keys.orderSymbols, SYMBOL, "ETHUSDT");
    expect(await queries().list()).toEqual([]);
    await orders.claim(await requestOf());
    const windowEndMs = VENUE_MS + WINDOW_MS;
    expect(await queries().read(PLAN)).toMatchObject({ ...ORDER, state: "SENT", windowEndMs });
    expect(await queries().listDoubts()).toEqual([]);
    await orders.doubt(ORDER, "answer_ambiguous");
    expect(await queries().list()).toEqual([{ planId: PLAN, symbol: SYMBOL, isLate: false }]);
    expect(await queries().listDoubts()).toEqual([Number((await orderHash())["claimed_at_ms"])]);
    await orders.settle(ORDER, NOT_PLACED, "query");
    expect(await queries().listDoubts()).toEqual([]);
    expect(await queries().list()).toEqual([{ planId: PLAN, symbol: SYMBOL, isLate: true }]);
  });
});

function pairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] ?? "", flat[2 * i + 1] ?? ""]);
}
