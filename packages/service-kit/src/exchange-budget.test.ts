/** The use of the exchange's limits, as Redis counts it. */
import { createKeys } from "@quantum/contract";
import { bindScript } from "@quantum/redis";
import { useRedis } from "@quantum/harness/vitest";
import { Registry } from "prom-client";
import { beforeEach, describe, expect, it } from "vitest";
import { observeExchangeBudget } from "./exchange-budget.ts";

const keys = createKeys();
const KEY = keys.exchangeBudget("weight_1m", "default");
/** Longer than any test. */
const WINDOW_MS = 10 * 86_400_000;

const { redis } = await useRedis();
beforeEach(() => redis.flushall());

const run = bindScript("exchange/budget");
async function draw(process: string, over: Record<string, string> = {}) {
  const [status, held, others, window, leftMs] = await run(redis, {
    keys: { budget: KEY },
    args: {
      process,
      window_ms: String(WINDOW_MS),
      told_window: String(await currentWindow()),
      limit: "2400",
      ceiling: "2160",
      spent: "0",
      holds: "1",
      wanted: "0",
      reported: "0",
      ...over,
    },
  });
  expect(status).toBe("DRAWN");
  expect(Number(leftMs)).toBeGreaterThan(0);
  expect(Number(window)).toBe(await currentWindow());
  return [Number(held), Number(others)];
}
async function currentWindow(): Promise<number> {
  const [sec] = await redis.time();
  return Math.floor((Number(sec) * 1_000) / WINDOW_MS);
}

describe("a block", () => {
  it("is half of what is free, and the same where its process asks twice", async () => {
    expect(await draw("a", { spent: "160" })).toEqual([1_000, 0]);
    const before = await redis.hgetall(KEY);
    expect(await draw("a", { spent: "160" })).toEqual([1_000, 0]);
    expect(await redis.hgetall(KEY)).toEqual(before);
    expect(before).toEqual({
      window: String(await currentWindow()),
      limit: "2400",
      reported: "0",
      "spent:a": "160",
      "held:a": "1000",
    });
    expect(await redis.pttl(KEY)).toBeGreaterThan(WINDOW_MS);
    expect(await redis.dbsize()).toBe(1);
  });

  it("is what its process is about to spend, as far as that is free", async () => {
    await draw("b", { spent: "1860" });
    expect(await draw("a", { wanted: "100" })).toEqual([100, 1_860]);
    expect(await draw("a", { wanted: "20" })).toEqual([75, 1_860]);
    expect(await draw("a", { wanted: "150" })).toEqual([150, 1_860]);
    expect(await draw("a", { wanted: "185" })).toEqual([150, 1_860]);
    expect(await draw("b", { spent: "2200", wanted: "9" })).toEqual([0, 0]);
    expect(await draw("a", { wanted: "185" })).toEqual([0, 2_200]);
    expect(await draw("watching", { holds: "0", wanted: "185" })).toEqual([0, 2_200]);
  });

  it("leaves to others what they hold, and to each the same after a few draws", async () => {
    await draw("a");
    expect(await draw("b")).toEqual([540, 0]);
    for (let n = 0; n < 10; n++) await Promise.all([draw("a"), draw("b")]);
    expect(await draw("a")).toEqual([720, 0]);
    expect(await draw("b")).toEqual([720, 0]);
  });

  it("together with all others and all that is spent never exceeds the ceiling", async () => {
    const processes = ["a", "b", "c"];
    const spent = new Map(processes.map((process) => [process, 0]));
    for (let round = 0; round < 20; round++) {
      for (const process of processes) {
        const before = spent.get(process) ?? 0;
        const [held = 0] = await draw(process, { spent: String(before) });
        const counted = await redis.hgetall(KEY);
        const sum = Object.entries(counted).reduce(
          (total, [field, value]) => total + (/^(spent|held):/.test(field) ? Number(value) : 0),
          0,
        );
        expect(sum).toBeLessThanOrEqual(2_160);
        spent.set(process, before + held);
      }
    }
    const all = [...spent.values()].reduce((total, one) => total + one, 0);
    expect(all).toBeGreaterThan(2_150);
    expect(all).toBeLessThanOrEqual(2_160);
  });

  it("is empty where the exchange reports that the limit is used", async () => {
    expect(await draw("a", { spent: "10", reported: "2300" })).toEqual([0, 2_290]);
    // Another process, which has not heard that itself.
    expect(await draw("b", { spent: "20" })).toEqual([0, 2_280]);
    // The exchange's answers may arrive in another order.
    expect(await draw("a", { spent: "10", reported: "100" })).toEqual([0, 2_290]);
  });

  it("is not given to a process that only watches", async () => {
    await draw("a", { spent: "300" });
    expect(await draw("watching", { holds: "0" })).toEqual([0, 300]);
    expect(await redis.hget(KEY, "held:watching")).toBe("0");
  });
});

describe("a window", () => {
  it("begins at 0, whatever the one before had", async () => {
    await redis.hset(KEY, { window: "1", reported: "2400", "spent:a": "2000", "held:b": "400" });
    expect(await draw("a")).toEqual([1_080, 0]);
    expect(await redis.hgetall(KEY)).not.toHaveProperty("held:b");
  });

  it("counts nothing that was spent or reported in another one", async () => {
    for (const told_window of ["", "1"]) {
      expect(await draw("a", { told_window, spent: "500", reported: "900" })).toEqual([1_080, 0]);
      expect(await redis.hmget(KEY, "spent:a", "reported")).toEqual(["0", "0"]);
    }
  });

  it("is counted again after Redis has lost it, and after another program has written to its key", async () => {
    await draw("a", { spent: "100", reported: "150" });
    await redis.flushall();
    expect(await draw("a", { spent: "110", reported: "160" })).toEqual([1_000, 50]);
    await redis.set(KEY, "what");
    expect(await draw("a", { spent: "110", reported: "160" })).toEqual([1_000, 50]);
    await redis.hset(KEY, "spent:b", "what");
    expect(await draw("a", { spent: "110", reported: "160" })).toEqual([1_000, 50]);
  });
});

it("shows the use of each limit", async () => {
  const registry = new Registry();
  const peaks = { weight_1m: 0.5, orders_1m: 0.1, orders_10s: 0 };
  const budget = {
    onLow: undefined,
    nextWindowMs: Infinity,
    draws: () => [],
    drawn: () => undefined,
    peak: (kind: keyof typeof peaks) => peaks[kind],
  };
  observeExchangeBudget({ budget, registry });
  const metrics = await registry.metrics();
  expect(metrics).toContain('quantum_exchange_budget_used{kind="weight_1m"} 0.5');
  expect(metrics).toContain('quantum_exchange_budget_used{kind="orders_10s"} 0');
});
