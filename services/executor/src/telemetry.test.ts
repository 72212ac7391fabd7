import { observeStages } from "@quantum/service-kit";
import { IssuerKeys } from "@quantum/signing";
import { Registry } from "prom-client";
import { beforeEach, describe, expect, it } from "vitest";
import { createEvents } from "./events.ts";
import {
  EXECUTED,
  keys,
  ORDER,
  orderHash,
  orders,
  redis,
  requestOf,
  SYMBOL,
  useRedis,
} from "./order-scripts.fixture.ts";
import { createQueries } from "./queries.ts";
import { observe } from "./telemetry.ts";

useRedis();

describe("the gauges of orders in doubt", () => {
  let registry: Registry;
  let passedMs: number;
  beforeEach(async () => {
    await redis.sadd(keys.orderSymbols, SYMBOL);
    registry = new Registry();
    passedMs = 0;
    const now = () => Date.now() + passedMs;
    // There are no events, so nothing is logged.
    const events = createEvents();
    const queries = createQueries({ redis, keys, events });
    const exits = { operatorKeys: () => IssuerKeys.NONE, lastDrillMs: async () => undefined, drillDays: 30 };
    const stages = observeStages(registry, undefined);
    observe({
      events,
      partitions: [{ name: "", queries, now }],
      stages,
      unsigned: new Set(),
      ...exits,
      registry,
      log: undefined as never,
    });
  });
  /** Values of one scrape. */
  async function scraped() {
    const text = await registry.metrics();
    const value = (name: string) => Number(new RegExp(`^${name} (.+)$`, "m").exec(text)?.[1]);
    return {
      count: value("quantum_orders_in_doubt"),
      oldestSec: value("quantum_orders_in_doubt_oldest_seconds"),
    };
  }

  it("are sums of all partitions, to which one that is away adds what it had last", async () => {
    const all = new Registry();
    const claimed = { first: [Date.now() - 20_000], second: [Date.now() - 90_000, undefined] };
    let isAway = false;
    const second = async () => {
      if (isAway) throw new Error("Connection is closed.");
      return claimed.second;
    };
    const now = () => Date.now();
    observe({
      events: createEvents(),
      partitions: [
        { name: "q0", queries: { listDoubts: async () => claimed.first }, now },
        { name: "q1", queries: { listDoubts: second }, now },
      ],
      stages: observeStages(all, undefined),
      unsigned: new Set(),
      operatorKeys: () => IssuerKeys.NONE,
      lastDrillMs: async () => undefined,
      drillDays: 30,
      registry: all,
      log: undefined as never,
    });
    const value = async (name: string) =>
      Number(new RegExp(`^${name} (.+)$`, "m").exec(await all.metrics())?.[1]);
    expect(await value("quantum_orders_in_doubt")).toBe(3);
    isAway = true;
    claimed.first = [];
    expect(await value("quantum_orders_in_doubt")).toBe(2);
    expect(await value("quantum_orders_in_doubt_oldest_seconds")).toBeGreaterThan(89);
  });

  it("show in each scrape what is true in it", async () => {
    expect(await scraped()).toEqual({ count: 0, oldestSec: 0 });
    await orders.claim(await requestOf());
    await orders.doubt(ORDER, "answer_ambiguous");
    passedMs = 90_000;
    const doubted = await scraped();
    expect(doubted.count).toBe(1);
    expect(doubted.oldestSec).toBeGreaterThan(89);
    await orders.settle(ORDER, EXECUTED, "query");
    expect(await scraped()).toEqual({ count: 0, oldestSec: 0 });
  });

  it.each(["state", "claimed_at_ms", "venue_ms"])(
    "count an order whose %s cannot be read, and those beside it",
    async (field) => {
      await orders.claim(await requestOf());
      await orders.doubt(ORDER, "answer_ambiguous");
      const other = "fedcba9876543210";
      await redis.hset(keys.order(other), { ...(await orderHash()), [field]: "?" });
      await redis.zadd(keys.unsettled(SYMBOL), 1, other);
      passedMs = 90_000;
      const { count, oldestSec } = await scraped();
      expect(count).toBe(2);
      expect(oldestSec).toBeGreaterThan(89);
    },
  );

  it("age on while Redis does not answer", async () => {
    await orders.claim(await requestOf());
    await orders.doubt(ORDER, "answer_ambiguous");
    await scraped();
    redis.disconnect();
    passedMs = 600_000;
    const { count, oldestSec } = await scraped();
    expect(count).toBe(1);
    expect(oldestSec).toBeGreaterThan(599);
    await redis.connect();
  });
});
