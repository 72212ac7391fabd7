/** The mark of the wire's kill switch in a partition, as `claim` reads it (I6). */
import { MARK_CASES, MARKED } from "@quantum/harness";
import { describe, expect, it } from "vitest";
import {
  keys,
  orders,
  ordersOn,
  PLAN,
  redis,
  requestOf,
  results,
  useRedis,
} from "./order-scripts.fixture.ts";

useRedis();

describe.each(MARK_CASES)("a mark: $mark", ({ halts, write }) => {
  it(`claim: ${halts ?? "claimed"}`, async () => {
    await write(redis, MARKED.killSwitchSeen);
    const claimed = await ordersOn(redis, MARKED).claim(await requestOf());
    expect(claimed.kind).toBe(halts === undefined ? "claimed" : "ended");
    expect(await redis.hget(keys.order(PLAN), "state")).toBe(halts === undefined ? "SENT" : "NOT_PLACED");
    const reasons = (await redis.xrange(results, "-", "+")).map(
      ([, fields]) => fields[fields.indexOf("reason") + 1],
    );
    expect(reasons).toEqual(halts === undefined ? [] : [halts]);
  });

  it("means nothing in the wire's layout, where the kill switch is read itself", async () => {
    await write(redis, MARKED.killSwitchSeen);
    expect((await orders.claim(await requestOf())).kind).toBe("claimed");
  });
});

it("stops no exit that an operator has signed", async () => {
  const exit = await requestOf({ passesHalts: true, isVerified: true, class: "operator" });
  expect((await ordersOn(redis, MARKED).claim(exit)).kind).toBe("claimed");
});
