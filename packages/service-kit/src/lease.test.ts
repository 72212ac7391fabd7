/** lua/leases/own: every reply, and the key's content afterwards. */
import { createKeys, ownerRecord, parseRecord } from "@quantum/contract";
import { bindScript } from "@quantum/redis";
import { keyspaceOf } from "@quantum/harness";
import { useRedis } from "@quantum/harness/vitest";
import { beforeEach, describe, expect, it } from "vitest";

const LEASE_MS = 6_000;
const HOUR_MS = 3_600_000;
const keys = createKeys();
const ownScript = bindScript("leases/own");
const { redis } = await useRedis();

beforeEach(() => redis.flushall());

const call = (instance: string, leaves: "0" | "1" = "0") =>
  ownScript(redis, {
    keys: { owner: keys.orderOwner },
    args: { instance, lease_ms: String(LEASE_MS), leaves },
  });
const held = async () =>
  parseRecord(ownerRecord, keys.orderOwner, await redis.hgetall(keys.orderOwner), [
    "instance",
    "since_ms",
    "seen_ms",
  ]);
const nowMs = async () => {
  const [seconds, micros] = await redis.time();
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
};
/** Writes the key as `instance` would have, this long ago. */
const write = async (instance: string, agoMs: { since: number; seen: number }) => {
  const now = await nowMs();
  const fields = { instance, since_ms: now - agoMs.since, seen_ms: now - agoMs.seen };
  await redis.hset(keys.orderOwner, fields);
  return fields;
};

describe("leases/own: who asks first", () => {
  it("owns the orders from now on, and nothing else is written", async () => {
    const before = await nowMs();
    const [status, since, saidMs] = await call("a");
    expect([status, saidMs]).toEqual(["OWNED", since]);
    expect(Number(since)).toBeGreaterThanOrEqual(before);
    expect(await held()).toEqual({ instance: "a", since_ms: Number(since), seen_ms: Number(since) });
    expect(await redis.keys("*")).toEqual([keys.orderOwner]);
    expect(await redis.ttl(keys.orderOwner)).toBe(-1);
  });

  it("keeps its time when it renews, also after a restart", async () => {
    const { since_ms } = await write("a", { since: HOUR_MS, seen: HOUR_MS });
    for (const _ of [1, 2]) {
      const [status, since, saidMs] = await call("a");
      expect([status, since]).toEqual(["OWNED", String(since_ms)]);
      expect(Number(saidMs)).toBe((await held()).seen_ms);
      expect(Number(saidMs)).toBeGreaterThan(since_ms);
    }
  });
});

describe("leases/own: another one", () => {
  it("stands by while the owner is heard of, and changes nothing", async () => {
    await write("a", { since: HOUR_MS, seen: LEASE_MS / 2 });
    const before = await keyspaceOf(redis);
    for (const _ of [1, 2]) {
      const [status, owner, left] = await call("b");
      expect([status, owner]).toEqual(["STANDBY", "a"]);
      expect(Number(left)).toBeGreaterThan(0);
      expect(Number(left)).toBeLessThanOrEqual(LEASE_MS / 2);
    }
    expect(await keyspaceOf(redis)).toEqual(before);
  });

  it.each<[string, { since: number; seen: number }]>([
    ["has been silent for a lease", { since: HOUR_MS, seen: LEASE_MS }],
    ["was last seen in the future", { since: HOUR_MS, seen: -HOUR_MS }],
  ])("takes over once the owner %s, from now on", async (_, agoMs) => {
    await write("a", agoMs);
    const before = await nowMs();
    const [status, since] = await call("b");
    expect(status).toBe("OWNED");
    expect(Number(since)).toBeGreaterThanOrEqual(before);
    expect(await held()).toMatchObject({ instance: "b", since_ms: Number(since) });
    expect((await call("b")).slice(0, 2)).toEqual(["OWNED", since]);
    expect((await call("a")).slice(0, 2)).toEqual(["STANDBY", "b"]);
  });
});

describe("leases/own: who leaves", () => {
  it("is not waited for, and goes on where it was if no other has asked", async () => {
    const [, since] = await call("a");
    for (const _ of [1, 2]) expect(await call("a", "1")).toEqual(["LEFT"]);
    expect(await held()).toEqual({ instance: "a", since_ms: Number(since), seen_ms: 0 });
    expect((await call("a")).slice(0, 2)).toEqual(["OWNED", since]);
    await call("a", "1");
    expect((await call("b"))[0]).toBe("OWNED");
  });

  it("changes nothing unless it is the owner", async () => {
    for (const before of [() => redis.flushall(), () => call("a"), () => redis.set(keys.orderOwner, "x")]) {
      await before();
      const there = await keyspaceOf(redis);
      for (const _ of [1, 2]) expect(await call("b", "1")).toEqual(["LEFT"]);
      expect(await keyspaceOf(redis)).toEqual(there);
      await redis.flushall();
    }
  });
});

describe("leases/own: a key that others have written", () => {
  it.each<[string, () => Promise<unknown>]>([
    ["is of the wrong type", () => redis.lpush(keys.orderOwner, "a")],
    ["names nobody", () => redis.hset(keys.orderOwner, "since_ms", "1", "seen_ms", "1")],
    [
      "does not say when the owner was seen",
      () => redis.hset(keys.orderOwner, "instance", "b", "seen_ms", "soon"),
    ],
    ["does not say since when", () => redis.hset(keys.orderOwner, "instance", "a", "since_ms", "nan")],
    [
      "says that it is the caller's from a time in the future",
      () => write("a", { since: -HOUR_MS, seen: 0 }),
    ],
  ])("%s: the caller owns the orders, from now on", async (_, damage) => {
    await damage();
    const before = await nowMs();
    const [status, since] = await call("a");
    expect(status).toBe("OWNED");
    expect(Number(since)).toBeGreaterThanOrEqual(before);
    expect(Number(since)).toBeLessThanOrEqual(await nowMs());
    expect(await held()).toEqual({ instance: "a", since_ms: Number(since), seen_ms: Number(since) });
    expect((await call("a")).slice(0, 2)).toEqual(["OWNED", since]);
  });
});
