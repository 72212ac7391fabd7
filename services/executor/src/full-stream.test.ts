/**
 * If the result stream's ids are exhausted, it accepts no entry. Then no order is ended or corrected, and the next try
 * does it once.
 */
import { TTL_SEC } from "@quantum/contract";
import { bindScript } from "@quantum/redis";
import { useUpIds } from "@quantum/harness";
import { describe, expect, it } from "vitest";
import { createEvents } from "./events.ts";
import {
  ATTEMPT,
  entryId,
  executes,
  EXECUTED,
  keys,
  NOT_PLACED,
  GROUP,
  ORDER,
  orderHash,
  orders,
  pending,
  PLAN,
  planHash,
  redis,
  requestOf,
  results,
  SYMBOL,
  useRedis,
} from "./order-scripts.fixture.ts";
import type { KnownOrder } from "./order.ts";
import { createQueries } from "./queries.ts";

const LATE: KnownOrder = {
  ...ORDER,
  entryId: "1-0",
  state: "NOT_PLACED",
  claimedAtMs: 1,
  venueMs: 1,
  windowEndMs: 1,
  positionAmt: undefined,
  stated: undefined,
};

useRedis();

async function givenClaimed(): Promise<void> {
  expect(await orders.claim(await requestOf())).toMatchObject({ kind: "claimed" });
}

async function failsTwice(step: () => Promise<unknown>): Promise<void> {
  await useUpIds(redis, results);
  for (let tries = 0; tries < 2; tries += 1) {
    await expect(step()).rejects.toThrow("stream has exhausted the last possible ID");
  }
}

/** Creates the stream again, and runs the failed step again, and once more. */
async function endsOnce(step: () => Promise<unknown>): Promise<void> {
  await redis.del(results);
  await step();
  await step();
  expect(await redis.xlen(results)).toBe(1);
  expect(await pending()).toBe(0);
}

describe("while results take no entry", () => {
  it("a refused claim stays pending", async () => {
    const refuse = async () => orders.claim(await requestOf({ refusal: "quantity_below_minimum" }));
    await failsTwice(refuse);
    expect(await pending()).toBe(1);
    expect(await planHash()).toMatchObject({ state: "PERMITTED" });
    await endsOnce(refuse);
    expect(await planHash()).toMatchObject({ state: "NOT_PLACED" });
  });

  it("so does that of an attempt whose plan has an order already", async () => {
    await redis.hset(keys.order(PLAN), { state: "EXECUTED", attempt: "1-0", client_order_id: "qp-earlier" });
    const before = await orderHash();
    const claim = async () => orders.claim(await requestOf());
    await failsTwice(claim);
    expect(await pending()).toBe(1);
    expect(await planHash()).toMatchObject({ state: "PERMITTED" });
    await endsOnce(claim);
    expect(await orderHash()).toEqual(before);
  });

  it.each([EXECUTED, NOT_PLACED])("an order that ended $outcome stays unsettled", async (settlement) => {
    await givenClaimed();
    const settle = () => orders.settle(ORDER, settlement, "query");
    await failsTwice(settle);
    expect(await orderHash()).toMatchObject({ state: "SENT" });
    expect(await redis.zscore(keys.unsettled(SYMBOL), PLAN)).not.toBeNull();
    expect(await pending()).toBe(1);
    await endsOnce(settle);
    expect(await orderHash()).toMatchObject({ result_id: (await redis.xrange(results, "-", "+"))[0]?.[0] });
  });

  it("an order that shows up late stays to be corrected", async () => {
    await givenClaimed();
    await orders.settle(ORDER, NOT_PLACED, "query");
    const queries = createQueries({ redis, keys, events: createEvents() });
    const adopt = () => queries.adopt(LATE, EXECUTED);
    await failsTwice(adopt);
    expect(await redis.zscore(keys.absent(SYMBOL), PLAN)).not.toBeNull();
    expect(await redis.hexists(keys.absentClaims, PLAN)).toBe(1);
    await endsOnce(adopt);
    expect(await planHash()).toMatchObject({ state: "EXECUTED" });
  });

  it("a lost handover stays to be ended", async () => {
    const entry = { plan_id: PLAN, symbol: SYMBOL, attempt: ATTEMPT, attempt_no: "1", valid_until_ms: "1" };
    const copy = JSON.stringify(Object.entries({ ...entry, entry_id: entryId }).flat());
    await redis.hset(keys.handedOver, PLAN, copy);
    const replicationId = /master_replid:(\w+)/.exec(await redis.info("replication"))?.[1] ?? "";
    const handoverLost = bindScript("orders/handover_lost");
    const end = () =>
      handoverLost(redis, {
        keys: {
          order: keys.order(PLAN),
          unsettled: keys.unsettled(SYMBOL),
          plan: keys.plan(PLAN),
          executes,
          results,
          handed_over: keys.handedOver,
        },
        args: {
          plan_id: PLAN,
          group: GROUP,
          margin_ms: "0",
          settled_sec: String(TTL_SEC.order),
          replication_id: replicationId,
        },
      });
    await failsTwice(end);
    expect(await redis.hget(keys.handedOver, PLAN)).toBe(copy);
    expect(await planHash()).toMatchObject({ state: "PERMITTED" });
    await endsOnce(end);
    expect(await planHash()).toMatchObject({ state: "NOT_PLACED", reason: "handover_lost" });
  });
});
