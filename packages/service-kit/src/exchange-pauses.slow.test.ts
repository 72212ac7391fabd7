/** The exchange's pauses, shared by two processes through a real Redis. */
import { createKeys } from "@quantum/contract";
import { bindScript } from "@quantum/redis";
import { useRedis } from "@quantum/harness/vitest";
import { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { observeExchange, shareExchangePauses } from "./exchange-pauses.ts";

const keys = createKeys();
const KEY = keys.exchangePause("requests");
const POLL = { timeout: 10_000 };
const log = { warn: () => undefined, error: () => undefined };

const { redis } = await useRedis();
const stops: (() => void)[] = [];
beforeEach(() => redis.flushall());
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

type Pauses = Parameters<typeof shareExchangePauses>[0]["pauses"];

/** Like packages/exchange's, without its client. */
class Local implements Pauses {
  onAsked: Pauses["onAsked"];
  readonly held = new Map<string, { endMs: number; reason: string }>();
  set: Pauses["set"] = (scope, pause) => {
    if (pause === undefined) this.held.delete(scope);
    else this.held.set(scope, { endMs: performance.now() + pause.leftMs, reason: pause.reason });
  };
  get: Pauses["get"] = (scope) => {
    const pause = this.held.get(scope);
    const leftMs = (pause?.endMs ?? 0) - performance.now();
    return pause === undefined || leftMs <= 0
      ? undefined
      : { leftMs: Math.ceil(leftMs), reason: pause.reason };
  };
  ask(leftMs: number, reason = "banned") {
    this.set("requests", { leftMs, reason });
    this.onAsked?.("requests", { leftMs, reason });
  }
}

async function processOf() {
  const pauses = new Local();
  stops.push(await shareExchangePauses({ pauses, redis, keys, log }));
  return pauses;
}

const resume = bindScript("operator/resume_exchange");
const resumed = async () => {
  const [status] = await resume(redis, {
    keys: { requests: KEY, orders: keys.exchangePause("orders"), audit: keys.streams.operatorAudit },
    args: { told_ms: "60000", who: "ann@desk", reason: "another address" },
  });
  return status;
};

describe("a pause that the exchange asked one process for", () => {
  it("is known to the others within a second, and to one that starts, with its end and reason", async () => {
    const [first, second] = [await processOf(), await processOf()];
    first.ask(60_000);
    await expect.poll(() => second.get("requests")?.reason, POLL).toBe("banned");
    const late = await processOf();
    expect(late.get("requests")?.reason).toBe("banned");
    expect(late.get("requests")?.leftMs).toBeGreaterThan(50_000);
    expect(late.get("orders")).toBeUndefined();
    expect(await redis.pttl(KEY)).toBeLessThanOrEqual(60_000);
  });

  it("is over for all once an operator has ended it, on record, and stays over", async () => {
    const [first, second] = [await processOf(), await processOf()];
    first.ask(60_000);
    await expect.poll(() => second.get("requests"), POLL).toBeDefined();
    expect(await resumed()).toBe("RESUMED");
    await expect.poll(() => first.get("requests") ?? second.get("requests"), POLL).toBeUndefined();
    const [entry] = await redis.xrange(keys.streams.operatorAudit, "-", "+");
    expect(entry?.[1]).toEqual(expect.arrayContaining(["exchange.resume", "ann@desk", "another address"]));
    expect(await resumed()).toBe("NONE");
    expect(await redis.xlen(keys.streams.operatorAudit)).toBe(1);
    expect((await processOf()).get("requests")).toBeUndefined();
  });

  it("may be asked for again after that", async () => {
    const first = await processOf();
    first.ask(60_000);
    await expect.poll(() => redis.get(KEY), POLL).toContain("banned");
    await resumed();
    first.ask(30_000, "again");
    const second = await processOf();
    await expect.poll(() => second.get("requests")?.reason, POLL).toBe("again");
    expect(first.get("requests")?.reason).toBe("again");
  });

  it("is written again where Redis has lost it, and where it is something else", async () => {
    const first = await processOf();
    first.ask(60_000);
    await expect.poll(() => redis.exists(KEY), POLL).toBe(1);
    await redis.flushall();
    await expect.poll(() => redis.get(KEY), POLL).toContain("banned");
    await redis.set(KEY, "what");
    await expect.poll(() => redis.get(KEY), POLL).toContain("banned");
    await redis.del(KEY);
    await redis.sadd(KEY, "what");
    const late = await processOf();
    await expect.poll(() => late.get("requests")?.reason, POLL).toBe("banned");
    expect(first.get("requests")).toBeDefined();
  });

  it("lasts no longer than was asked for, where Redis's clock was ahead when it was written", async () => {
    await redis.set(KEY, '{"reason": "banned", "since_ms": 1, "pause_ms": 30000}', "PX", 3_600_000);
    const first = await processOf();
    expect(first.get("requests")?.leftMs).toBeLessThanOrEqual(30_000);
    expect(await redis.pttl(KEY)).toBeLessThanOrEqual(30_000);
    first.ask(40_000, "again");
    await expect.poll(() => redis.get(KEY), POLL).toContain("again");
  });

  it("is not shortened where Redis's clock steps ahead", async () => {
    const first = await processOf();
    first.ask(60_000);
    await expect.poll(() => redis.get(KEY), POLL).toContain("banned");
    await redis.pexpire(KEY, 3_000);
    const late = await processOf();
    expect(late.get("requests")?.leftMs).toBeLessThanOrEqual(3_000);
    // If its key is lost, the pause is written again while it lasts here.
    await expect.poll(() => redis.pttl(KEY), POLL).toBeGreaterThan(40_000);
    expect(first.get("requests")?.leftMs).toBeGreaterThan(40_000);
    await expect.poll(() => late.get("requests")?.leftMs ?? 0, POLL).toBeGreaterThan(40_000);
  });

  it("is the longest of several", async () => {
    const [first, second] = [await processOf(), await processOf()];
    first.ask(60_000, "long");
    await expect.poll(() => redis.get(KEY), POLL).toContain("long");
    second.ask(5_000, "short");
    await expect.poll(() => second.get("requests")?.reason, POLL).toBe("long");
    expect(await redis.pttl(KEY)).toBeGreaterThan(50_000);
  });

  it("ends by itself", async () => {
    const [first, second] = [await processOf(), await processOf()];
    first.ask(3_000);
    await expect.poll(() => redis.exists(KEY), POLL).toBe(1);
    await expect.poll(() => first.get("requests") ?? second.get("requests"), POLL).toBeUndefined();
    await expect.poll(() => redis.exists(KEY), POLL).toBe(0);
  });
});

describe("what is shown of the exchange", () => {
  it("is how long a pause lasts, and how many rows could not be read", async () => {
    const registry = new Registry();
    const pauses = new Local();
    const warned: unknown[] = [];
    const unreadable = observeExchange({
      endpoints: ["openOrders", "userTrades"],
      pauses,
      registry,
      log: { warn: (row: unknown) => void warned.push(row) },
    });
    pauses.ask(60_000);
    for (let n = 0; n < 3; n++) unreadable({ endpoint: "openOrders", symbol: "ETHUSDT", problem: "odd" });
    const metrics = await registry.metrics();
    expect(metrics).toMatch(/quantum_exchange_pause_seconds\{scope="requests"\} (59|60)/);
    expect(metrics).toContain('quantum_exchange_pause_seconds{scope="orders"} 0');
    expect(metrics).toContain('quantum_exchange_unreadable_rows_total{endpoint="openOrders"} 3');
    expect(metrics).toContain('quantum_exchange_unreadable_rows_total{endpoint="userTrades"} 0');
    expect(warned).toHaveLength(1);
  });
});
