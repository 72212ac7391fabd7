import { createKeys, utcDay } from "@quantum/contract";
import { startRedisServer, type TestRedis } from "@quantum/harness";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createConsume } from "./consume.ts";
import { createDisarm, disarm } from "./disarm.ts";
import {
  keyspace,
  grant,
  granted,
  issue,
  keys,
  PLAN,
  publish,
  redis,
  second,
  SYMBOL,
  useRedis,
} from "./issuer.fixture.ts";

useRedis();

const WHY = { reason: "burst_limit_exceeded", context: { symbol: SYMBOL, note: 'a "quoted" one' } };
const today = () => keys.disarmOf(utcDay(Date.now()));

describe("disarm", () => {
  it("writes both keys and the event", async () => {
    expect(await disarm(redis, keys, WHY)).toBe(true);
    const text = (await redis.get(keys.disarm)) ?? "";
    expect(JSON.parse(text)).toEqual({ ...WHY, timestamp: expect.closeTo(Date.now() / 1000, -1) });
    expect(await redis.get(today())).toBe(text);
    expect(await redis.ttl(keys.disarm)).toBe(-1);
    expect(await redis.ttl(today())).toBeCloseTo(86_400, -1);
    const [event] = await redis.xrange(keys.streams.governorEvents, "-", "+");
    expect(event?.[1]).toEqual([
      "event",
      "AUTO_DISARM",
      "reason",
      WHY.reason,
      "context",
      '{"symbol": "BTCUSDT", "note": "a \\"quoted\\" one"}',
      "timestamp",
      expect.stringMatching(/^\d{10}\.\d{3}$/),
      "action_taken",
      "disarmed",
    ]);
  });

  it("leaves a disarm that is in force as it was, even after SCRIPT FLUSH", async () => {
    await disarm(redis, keys, WHY);
    const before = await keyspace();
    await redis.script("FLUSH");
    expect(await disarm(redis, keys, { reason: "repeated_errors", context: {} })).toBe(false);
    expect(await keyspace()).toEqual(before);
  });

  it("takes a disarm key of any type for a disarm", async () => {
    await redis.hset(keys.disarm, "reason", "an operator's");
    const before = await keyspace();
    expect(await disarm(redis, keys, WHY)).toBe(false);
    expect(await keyspace()).toEqual(before);
  });

  it("happens once though two governors disarm at the same time", async () => {
    const disarmed = await Promise.all([disarm(redis, keys, WHY), disarm(second, keys, WHY)]);
    expect(disarmed.filter(Boolean)).toHaveLength(1);
    expect(await redis.xlen(keys.streams.governorEvents)).toBe(1);
  });

  it("is honoured by issue until an operator deletes both keys", async () => {
    await disarm(redis, keys, WHY);
    expect(await issue(granted(), await publish())).toEqual({ kind: "denied", reason: "disarmed" });
    await redis.del(keys.disarm);
    expect(await issue(granted(), await publish())).toEqual({ kind: "denied", reason: "disarmed" });
    await redis.del(today());
    expect(await issue(granted(), await publish())).toEqual({ kind: "granted" });
  });

  it("is honoured by consume, though the permit was granted before", async () => {
    await grant(PLAN);
    const times = { opened_at_ms: Date.now(), deadline_ms: Date.now() + 60_000 };
    const opened = { mode: "paper", step: "CLOSE_FULL", close_pct: 100, attempt_no: 1 };
    await redis.hset(keys.plan(PLAN), { ...opened, ...times });
    await disarm(redis, keys, WHY);
    const consume = createConsume({
      redis,
      keys,
      required: ["governor", "p33"],
      executeTtlMs: 5_000,
      graceMs: 100,
      halted: false,
    });
    expect(await consume(PLAN, SYMBOL)).toMatchObject({
      kind: "verdict",
      verdict: { kind: "blocked", reason: "disarmed" },
    });
  });
});

describe("the disarm of all partitions", () => {
  let away: TestRedis;
  let client: RedisClient;
  beforeAll(async () => {
    away = await startRedisServer();
    client = connectForCommands({ url: away.url, name: "test-away", onError: () => undefined });
  });
  afterAll(async () => {
    await disconnect(client);
    await away.stop();
  });
  beforeEach(() => client.flushall());

  /** Partition 1 is on another server. */
  const partitionsOn = (other: RedisClient) =>
    [redis, other, redis].map((on, number) => ({
      number,
      redis: on,
      keys: createKeys({ partition: number }),
    }));

  function disarmOf(places: ReturnType<typeof partitionsOn>) {
    const told: string[] = [];
    const run = createDisarm({
      places,
      onFailed: ({ number }) => void told.push(`failed in ${number}`),
      onReached: ({ number }) => void told.push(`reached ${number}`),
    });
    return { told, run: (what = WHY) => run(what, () => void told.push(what.reason)) };
  }

  it("is told once, and once more after an operator has cleared it in one partition", async () => {
    const places = partitionsOn(client);
    const { told, run } = disarmOf(places);
    await run();
    await run();
    expect(told).toEqual([WHY.reason]);
    for (const { redis: on, keys: of } of places) {
      expect(JSON.parse((await on.get(of.disarm)) ?? "")).toMatchObject(WHY);
      expect(await on.xlen(of.streams.governorEvents)).toBe(1);
    }
    await redis.del(createKeys({ partition: 2 }).disarm);
    await run();
    expect(told).toEqual([WHY.reason, WHY.reason]);
  });

  it("waits for no partition that is away, and reaches it when it is back", async () => {
    const places = partitionsOn(client);
    const { told, run } = disarmOf(places);
    away.pause();
    await run();
    expect(told).toEqual([WHY.reason, "failed in 1"]);
    expect(await redis.exists(createKeys({ partition: 0 }).disarm)).toBe(1);
    expect(await redis.exists(createKeys({ partition: 2 }).disarm)).toBe(1);
    // Another breach meanwhile adds no second repetition.
    await run({ ...WHY, reason: "repeated_errors" });
    away.resume();
    const reached = () => told.filter((text) => text === "reached 1").length;
    await expect.poll(reached).toBe(1);
    expect(await client.exists(createKeys({ partition: 1 }).disarm)).toBe(1);
    expect(await client.xlen(createKeys({ partition: 1 }).streams.governorEvents)).toBe(1);
    expect(told).toEqual([WHY.reason, "failed in 1", "failed in 1", "reached 1"]);
  });

  it("is told although the first attempts all failed", async () => {
    const { told, run } = disarmOf(
      [1, 1].map(() => partitionsOn(client)[1]).filter((place) => place !== undefined),
    );
    away.pause();
    await run();
    away.resume();
    await expect
      .poll(() => told.toSorted((a, b) => a.localeCompare(b)))
      .toEqual([WHY.reason, "failed in 1", "failed in 1", "reached 1", "reached 1"]);
  });
});
