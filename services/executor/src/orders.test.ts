/**
 * lua/orders after the claim: every reply, what must not change, repeated, concurrent, and with keys of the wrong type.
 */
import { parseEntries } from "@quantum/streams";
import { describe, expect, it } from "vitest";
import {
  events,
  EXECUTED,
  executes,
  keys,
  NOT_PLACED,
  ORDER,
  orderHash,
  orders,
  ordersOn,
  pending,
  PLAN,
  planHash,
  redis,
  requestOf,
  resultCount,
  results,
  second,
  SYMBOL,
  unchanged,
  useRedis,
  wrongType,
} from "./order-scripts.fixture.ts";

useRedis();

describe("doubt", () => {
  it("UNKNOWN: blocks the symbol, keeps the index, acknowledges; no result", async () => {
    await orders.claim(await requestOf());
    expect(await orders.doubt(ORDER, "answer_ambiguous")).toBe(true);
    expect(await orderHash()).toMatchObject({ state: "UNKNOWN", why: "answer_ambiguous" });
    expect(await redis.ttl(keys.order(PLAN))).toBe(-1);
    expect(await redis.smembers(keys.unknown(SYMBOL))).toEqual([PLAN]);
    expect(await redis.zrange(keys.unsettled(SYMBOL), 0, -1)).toEqual([PLAN]);
    expect(await planHash()).toMatchObject({ state: "UNKNOWN", reason: "answer_ambiguous" });
    expect([await resultCount(), await pending()]).toEqual([0, 0]);
    await redis.script("FLUSH");
    await unchanged(async () => expect(await orders.doubt(ORDER, "answer_ambiguous")).toBe(true));
  });

  it("SETTLED: does not undo a settlement", async () => {
    await orders.claim(await requestOf());
    await orders.settle(ORDER, EXECUTED, "query");
    await unchanged(async () => expect(await orders.doubt(ORDER, "claimed_before")).toBe(false));
  });

  it("NOT_CLAIMED: changes nothing", async () => {
    await unchanged(async () => expect(await orders.doubt(ORDER, "claimed_before")).toBe(false));
    await orders.claim(await requestOf());
    const other = { ...ORDER, attempt: "1-0" };
    await unchanged(async () => expect(await orders.doubt(other, "claimed_before")).toBe(false));
  });

  it.each([
    ["order", keys.order(PLAN)],
    ["unknown", keys.unknown(SYMBOL)],
    ["plan", keys.plan(PLAN)],
    ["executes", executes],
  ])("fails whole on a wrong type of %s", async (_, key) => {
    await orders.claim(await requestOf());
    await wrongType(key);
    await unchanged(async () => expect(orders.doubt(ORDER, "claimed_before")).rejects.toThrow("WRONGTYPE"));
  });
});

describe("settle", () => {
  it.each([
    EXECUTED,
    NOT_PLACED,
    { ...NOT_PLACED, outcome: "REJECTED" as const, reason: "not_filled" as const },
  ])(
    "$outcome: result, record, ack and indexes in one step, from SENT and from UNKNOWN (I3)",
    async (settlement) => {
      for (const doubted of [false, true]) {
        await redis.del(keys.order(PLAN), results);
        await redis.hset(keys.plan(PLAN), { state: "PERMITTED" });
        await redis.hdel(keys.plan(PLAN), "client_order_id");
        await orders.claim(await requestOf());
        if (doubted) await orders.doubt(ORDER, "answer_ambiguous");
        await orders.settle(ORDER, settlement, "query");
        const ended = { state: settlement.outcome, reason: settlement.reason, order_id: settlement.orderId };
        // For versions in which NOT_PLACED means that there was no claim.
        const state = settlement.outcome === "NOT_PLACED" ? "UNPLACED" : settlement.outcome;
        expect(await orderHash()).toMatchObject({ ...ended, state, avg_price: settlement.avgPrice });
        expect(await redis.ttl(keys.order(PLAN))).toBeGreaterThan(0);
        expect(await planHash()).toMatchObject(ended);
        expect(await redis.exists(keys.unsettled(SYMBOL), keys.unknown(SYMBOL))).toBe(0);
        expect([await resultCount(), await pending()]).toEqual([1, 0]);
      }
    },
  );

  it("says that the venue capped the order, if it was executed", async () => {
    const capped = { intent: { side: "SELL", quantity: "0.010", cappedByVenue: true } } as const;
    for (const [over, settlement, told] of [
      [capped, EXECUTED, "True"],
      [capped, NOT_PLACED, undefined],
      [{}, EXECUTED, undefined],
    ] as const) {
      await redis.del(keys.order(PLAN), results);
      await redis.hset(keys.plan(PLAN), { state: "PERMITTED" });
      await redis.hdel(keys.plan(PLAN), "client_order_id");
      await orders.claim(await requestOf(over));
      await orders.settle(ORDER, settlement, "query");
      const [entry] = parseEntries(await redis.xrange(results, "-", "+"));
      expect(entry?.fields["capped_by_venue"]).toBe(told);
    }
  });

  it("REPLAYED: the first settlement stands, whatever the second says", async () => {
    await orders.claim(await requestOf());
    await orders.settle(ORDER, EXECUTED, "query");
    await redis.script("FLUSH");
    await unchanged(() => orders.settle(ORDER, EXECUTED, "query"));
    await unchanged(() => orders.settle(ORDER, NOT_PLACED, "query"));
    expect(events).toEqual(["settled"]);
  });

  it("of two callers at once, one writes the result", async () => {
    await orders.claim(await requestOf());
    const other = ordersOn(second);
    await Promise.all([orders.settle(ORDER, EXECUTED, "query"), other.settle(ORDER, NOT_PLACED, "query")]);
    expect(await resultCount()).toBe(1);
  });

  it("NOT_CLAIMED: changes nothing and says so", async () => {
    await unchanged(() => expect(orders.settle(ORDER, EXECUTED, "query")).rejects.toThrow("no claim"));
    await orders.claim(await requestOf());
    const other = { ...ORDER, attempt: "1-0" };
    await unchanged(() => expect(orders.settle(other, EXECUTED, "query")).rejects.toThrow("no claim"));
  });

  it.each([
    ["order", keys.order(PLAN)],
    ["unsettled", keys.unsettled(SYMBOL)],
    ["unknown", keys.unknown(SYMBOL)],
    ["plan", keys.plan(PLAN)],
    ["results", results],
    ["executes", executes],
  ])("fails whole on a wrong type of %s", async (_, key) => {
    await orders.claim(await requestOf());
    await wrongType(key);
    await unchanged(() => expect(orders.settle(ORDER, EXECUTED, "query")).rejects.toThrow("WRONGTYPE"));
  });
});
