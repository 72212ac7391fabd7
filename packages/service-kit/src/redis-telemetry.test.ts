import { createKeys, utcDay } from "@quantum/contract";
import { useRedis } from "@quantum/harness/vitest";
import { Registry } from "prom-client";
import { beforeEach, describe, expect, it } from "vitest";
import { openPartitions } from "./partitions.ts";
import { observeRedis } from "./redis-telemetry.ts";

const keys = createKeys();
const { redis, server } = await useRedis({ appendonly: true, appendfsync: "always" });
/** All partitions share the test's own connection. */
const connect = () => ({ redis, connectForBlocking: () => redis });
let registry: Registry;
beforeEach(async () => {
  await redis.flushall();
  registry = new Registry();
  observeRedis(openPartitions(1, connect), registry);
});

const value = async (name: string) =>
  Number(new RegExp(`^${name} (.*)$`, "m").exec(await registry.metrics())?.[1]);

describe("the kill switch gauge", () => {
  it.each([
    ["nothing", () => redis.del(keys.killSwitch), 0],
    ["0", () => redis.set(keys.killSwitch, "0"), 0],
    [" Off ", () => redis.set(keys.killSwitch, " Off "), 0],
    ["1", () => redis.set(keys.killSwitch, "1"), 1],
    ["blank", () => redis.set(keys.killSwitch, ""), 1],
    ["a list", () => redis.lpush(keys.killSwitch, "0"), 1],
  ])("reads %s as the scripts do", async (_, put, expected) => {
    await put();
    expect(await value("quantum_kill_switch_active")).toBe(expected);
  });
});

describe("the other gauges", () => {
  it.each(["disarm", "today's disarm"])("see the %s key", async (which) => {
    expect(await value("quantum_disarmed")).toBe(0);
    await redis.set(which === "disarm" ? keys.disarm : keys.disarmOf(utcDay(Date.now())), "{}");
    expect(await value("quantum_disarmed")).toBe(1);
  });

  it("count dead letters", async () => {
    expect(await value("quantum_dead_letters")).toBe(0);
    await redis.xadd(keys.streams.deadLetter, "*", "reason", "bad");
    expect(await value("quantum_dead_letters")).toBe(1);
  });

  it("tell a Redis that may forget, and one that does not answer", async () => {
    expect(await value("quantum_redis_durable")).toBe(1);
    await redis.config("SET", "appendfsync", "everysec");
    expect(await value("quantum_redis_durable")).toBe(0);
    expect(await value("quantum_redis_up")).toBe(1);
    server.pause();
    try {
      expect(await value("quantum_redis_up")).toBe(0);
    } finally {
      server.resume();
    }
    await redis.config("SET", "appendfsync", "always");
  });
});
