import { createIntakeKeys, createKeys, utcDay } from "@quantum/contract";
import { eventually, haveReplicas, startRedisServer } from "@quantum/harness";
import { useRedis } from "@quantum/harness/vitest";
import { connectForCommands, disconnect } from "@quantum/redis";
import { Registry } from "prom-client";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
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

  it("count dead letters of all partitions, and of what else is consumed, each once", async () => {
    const intake = createIntakeKeys(3).streams.deadLetter;
    const own = createKeys({ partition: 1 }).streams.deadLetter;
    const several = new Registry();
    observeRedis(openPartitions(3, connect), several, () => [
      { redis, deadLetters: intake },
      { redis, deadLetters: own },
    ]);
    for (const stream of [intake, own, own, createKeys({ partition: 2 }).streams.deadLetter])
      await redis.xadd(stream, "*", "reason", "bad");
    expect(await several.metrics()).toContain("\nquantum_dead_letters 4\n");
  });

  it("count dead letters", async () => {
    expect(await value("quantum_dead_letters")).toBe(0);
    await redis.xadd(keys.streams.deadLetter, "*", "reason", "bad");
    expect(await value("quantum_dead_letters")).toBe(1);
  });

  it("count the replicas that follow", async () => {
    expect(await value("quantum_redis_replicas")).toBe(0);
    await redis.config("SET", "repl-diskless-sync-delay", "0");
    const replica = await startRedisServer({ config: { replicaof: `127.0.0.1 ${server.port}` } });
    onTestFinished(() => replica.stop());
    await eventually(
      async () => (await haveReplicas(redis, 1)) || undefined,
      10_000,
      "a replica that follows",
    );
    expect(await value("quantum_redis_replicas")).toBe(1);
  });

  it("count another Redis in the place of the one before, and not one that was away", async () => {
    const own = await startRedisServer();
    const client = connectForCommands({ url: own.url, name: "test", onError: () => undefined });
    onTestFinished(() => disconnect(client));
    const others = new Registry();
    observeRedis(
      openPartitions(1, () => ({ redis: client, connectForBlocking: () => client })),
      others,
    );
    const replaced = async () =>
      Number(/^quantum_redis_replaced_total (.*)$/m.exec(await others.metrics())?.[1]);
    expect(await replaced()).toBe(0);
    own.pause();
    expect(await replaced()).toBe(0);
    own.resume();
    expect(await replaced()).toBe(0);
    await own.stop();
    const next = await startRedisServer({ port: own.port });
    onTestFinished(() => next.stop());
    await eventually(async () => (await replaced()) === 1 || undefined, 10_000, "the other Redis");
    expect(await replaced()).toBe(1);
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

describe("with a partition that does not answer", () => {
  it("what is found in another counts, and what cannot be told is not told", async () => {
    const gone = connectForCommands({ url: "redis://127.0.0.1:1", name: "gone", onError: () => undefined });
    onTestFinished(() => disconnect(gone));
    const half = new Registry();
    const of = (key: string) => (key === createKeys({ partition: 1 }).probe ? gone : redis);
    observeRedis(
      openPartitions(2, (key) => ({ redis: of(key), connectForBlocking: () => redis })),
      half,
    );
    const first = createKeys({ partition: 0 });
    await redis.set(first.killSwitchSeen, `${Date.now()} running`);
    const before = await half.metrics();
    expect(before).toContain("\nquantum_redis_up 0\n");
    for (const name of ["kill_switch_active", "disarmed", "durable"])
      expect(before).not.toMatch(new RegExp(`^quantum_(redis_)?${name} 1`, "m"));

    await redis.set(first.killSwitch, "1");
    await redis.set(first.disarm, "{}");
    await redis.config("SET", "appendfsync", "everysec");
    const found = await half.metrics();
    await redis.config("SET", "appendfsync", "always");
    expect(found).toContain("\nquantum_kill_switch_active 1\n");
    expect(found).toContain("\nquantum_disarmed 1\n");
    expect(found).toContain("\nquantum_redis_durable 0\n");
  });
});
