/** Halts of three partitions, of which one is on a Redis of its own, and of the wire's key. */
import { createKeys, type Keys } from "@quantum/contract";
import { keepRunning, startRedisServer, type TestRedis } from "@quantum/harness";
import { disarm } from "@quantum/permits";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { openPartitions } from "@quantum/service-kit";
import { fieldsOf } from "@quantum/streams";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { OpenAccess } from "./access.ts";
import { readAllHalts, whereText } from "./all-halts.ts";
import type { Patience } from "./everywhere.ts";
import { haltFirst } from "./exit/halt-first.ts";
import { haltEverywhere } from "./halt-everywhere.ts";
import { operations } from "./operations.ts";

const WIRE = createKeys();
const BY = { who: "ann@desk", reason: "a drill" };
const AWAY = createKeys({ partition: 2 });
const KEYS = [createKeys({ partition: 0 }), createKeys({ partition: 1 }), AWAY];
const ALL = "q0, q1, q2 and the wire's key";

let near: TestRedis;
let away: TestRedis;
let here: RedisClient;
let there: RedisClient;
let access: OpenAccess;
let marks: { stop: () => Promise<void> }[];
beforeAll(async () => {
  [near, away] = await Promise.all([startRedisServer(), startRedisServer()]);
  const connect = (server: TestRedis) =>
    connectForCommands({ url: server.url, name: "test", onError: () => undefined, resend: false });
  here = connect(near);
  there = connect(away);
  const partitions = openPartitions(3, (key) => ({
    redis: key.includes("{q2}") ? there : here,
    connectForBlocking: () => here,
  }));
  access = {
    partitions,
    intake: partitions.account,
    redisOf: () => here,
    url: "",
    nowMs: Date.now,
    problemOf: async () => undefined,
    brokenBy: () => undefined,
    backAt: () => undefined,
  };
});
beforeEach(async () => {
  await there.config("SET", "min-replicas-to-write", "0");
  await Promise.all([here, there].map((client) => client.flushall()));
  marks = [await keepRunning(here, KEYS.slice(0, 2)), await keepRunning(there, [AWAY])];
});
afterEach(() => Promise.all(marks.map((mark) => mark.stop())));
afterAll(async () => {
  await Promise.all([here, there].map(disconnect));
  await Promise.all([near, away].map((server) => server.stop()));
});

const clientOf = (keys: Keys) => (keys === AWAY ? there : here);
const switches = () => Promise.all([...KEYS, WIRE].map((keys) => clientOf(keys).get(keys.killSwitch)));
const disarms = () =>
  Promise.all(KEYS.map((keys) => clientOf(keys).exists(keys.disarm, keys.disarmOf(day()))));
const day = () => new Date().toISOString().slice(0, 10);
const audited = async () => {
  const entries = await Promise.all(
    KEYS.map((keys) => clientOf(keys).xrange(keys.streams.operatorAudit, "-", "+")),
  );
  return entries.map((of) => of.map(([, flat]) => fieldsOf(flat)["action"]));
};

function patience(): Patience & { told: string[]; end: () => void } {
  const stop = new AbortController();
  const told: string[] = [];
  return {
    stop: stop.signal,
    told,
    end: () => stop.abort(),
    tell: ({ missing }) => void told.push(missing.map(({ place }) => place.name).join()),
  };
}

describe("the kill switch of several partitions", () => {
  it("goes on and off in each, with an entry in each, and under the wire's key", async () => {
    const on = await operations["kill-on"].run(access, {}, BY);
    expect(on).toContain(`The kill switch is ON in ${ALL}. `);
    expect(await switches()).toEqual(["1", "1", "1", "1"]);
    const { text, shown } = await operations["kill-off"].preview(access, {});
    expect(text).toContain(`by ann@desk: a drill (it is on in ${ALL}).`);
    expect(await operations["kill-off"].run(access, {}, BY, shown)).toBe(`The kill switch is off in ${ALL}.`);
    expect(await switches()).toEqual([null, null, null, null]);
    expect(await audited()).toEqual(KEYS.map(() => ["kill.on", "kill.off"]));
    await expect(operations["kill-off"].run(access, {}, BY)).rejects.toThrow(
      "the kill switch is off already",
    );
  });

  it.each<[string, Keys, string]>([
    ["one partition", AWAY, "is on in q2"],
    ["the wire's key", WIRE, "is on in the wire's key"],
  ])("that is on in %s alone is on, and goes off", async (_, keys, where) => {
    await clientOf(keys).set(keys.killSwitch, "by hand");
    const halts = await readAllHalts(access);
    expect(halts).toMatchObject({ killSwitch: { on: true, value: "by hand" }, unread: [] });
    expect(whereText(halts)).toBe(where);
    await operations["kill-off"].run(access, {}, BY);
    expect(await switches()).toEqual([null, null, null, null]);
    expect((await readAllHalts(access)).killSwitch.on).toBe(false);
  });

  it("counts as on where nobody shows the wire's key, and cannot be turned off there", async () => {
    await Promise.all(marks.map((mark) => mark.stop()));
    await here.del(createKeys({ partition: 1 }).killSwitchSeen);
    const halts = await readAllHalts(access);
    expect(halts.killSwitch).toEqual({ on: true, value: null });
    expect(whereText(halts)).toMatch(/^counts as on in q1, which no apply-layer/);
    await expect(operations["kill-off"].preview(access, {})).rejects.toThrow(
      /off already; it counts as on in q1/,
    );
  });

  it("is tried again where it did not come about, and says where", async () => {
    await there.config("SET", "min-replicas-to-write", "1");
    const waiting = patience();
    const halting = haltEverywhere(access, BY, waiting);
    await expect.poll(() => waiting.told).toEqual(["q2"]);
    expect(await switches()).toEqual(["1", "1", null, "1"]);
    await there.config("SET", "min-replicas-to-write", "0");
    expect((await halting).reached.missing).toEqual([]);
    expect(await switches()).toEqual(["1", "1", "1", "1"]);
    expect(await audited()).toEqual(KEYS.map(() => ["kill.on"]));
  });

  it("is not on everywhere when the operator ends the repetition, or has no patience", async () => {
    await there.config("SET", "min-replicas-to-write", "1");
    const waiting = patience();
    const halting = haltEverywhere(access, BY, waiting);
    await expect.poll(() => waiting.told).toEqual(["q2"]);
    waiting.end();
    expect((await halting).reached.missing.map(({ place }) => place.name)).toEqual(["q2"]);
    await expect(operations["kill-on"].run(access, {}, BY)).rejects.toThrow(
      /^The kill switch is ON in q0, q1 and the wire's key, and not known to be in q2 \(.*\): repeat it$/,
    );
    await there.config("SET", "min-replicas-to-write", "0");
    expect(await there.exists(AWAY.killSwitch)).toBe(0);
  });

  it("does not go off in the last partition after it was turned on again in the others", async () => {
    await haltEverywhere(access, BY);
    await there.config("SET", "min-replicas-to-write", "1");
    const waiting = patience();
    const ending = operations["kill-off"].run(access, {}, BY, undefined, waiting);
    const message = ending.catch((error: unknown) => (error as Error).message);
    await expect.poll(() => waiting.told).toEqual(["q2"]);
    await here.set(WIRE.killSwitch, "1");
    expect(await message).toMatch(/q2 \(it has been turned on again elsewhere meanwhile\)/);
    await there.config("SET", "min-replicas-to-write", "0");
    expect(await there.get(AWAY.killSwitch)).toBe("1");
  });

  it("keeps nobody from closing what other partitions have", async () => {
    await there.config("SET", "min-replicas-to-write", "1");
    const told: string[] = [];
    const done = await haltFirst(access, BY, new AbortController().signal, (sight) => {
      if (sight.kind === "silent") told.push(sight.why);
    });
    await there.config("SET", "min-replicas-to-write", "0");
    expect(done).toBe(true);
    expect(told).toEqual([expect.stringMatching(/^q2 \(/)]);
    expect(await switches()).toEqual(["1", "1", null, "1"]);
  });

  it("is known as far as Redis answers", async () => {
    await here.set(KEYS[1]?.killSwitch ?? "", "1");
    away.pause();
    const halts = await readAllHalts(access);
    away.resume();
    await expect.poll(() => there.ping().catch(() => "away")).toBe("PONG");
    expect(whereText(halts)).toMatch(/^is on in q1; is not known of q2 \(/);
  });
});

describe("the disarm of several partitions", () => {
  const why = { reason: "burst_limit_breach", context: { symbol: "BTCUSDT" } };

  it("is cleared where it is in force, and only there on record", async () => {
    await disarm(here, createKeys({ partition: 0 }), why);
    await disarm(there, AWAY, why);
    const { text, shown } = await operations["disarm-clear"].preview(access, {});
    expect(text).toMatch(/^The disarm is cleared in q0 and q2\. .*burst_limit_breach/);
    expect(await operations["disarm-clear"].run(access, {}, BY, shown)).toBe(
      "The disarm is cleared in q0 and q2.",
    );
    expect(await disarms()).toEqual([0, 0, 0]);
    expect(await audited()).toEqual([["disarm.clear"], [], ["disarm.clear"]]);
  });

  it("is not cleared where one has come since it was shown", async () => {
    await disarm(here, createKeys({ partition: 0 }), why);
    const { shown } = await operations["disarm-clear"].preview(access, {});
    await disarm(there, AWAY, why);
    await expect(operations["disarm-clear"].run(access, {}, BY, shown)).rejects.toThrow(/no longer the one/);
    expect(await disarms()).toEqual([2, 0, 2]);
  });

  it("is not known to be cleared in a partition that does not answer", async () => {
    await disarm(here, createKeys({ partition: 0 }), why);
    away.pause();
    const clearing = operations["disarm-clear"].run(access, {}, BY);
    await expect(clearing).rejects.toThrow(/cleared in q0, and not known to be in q2/);
    away.resume();
    await expect.poll(() => there.ping().catch(() => "away")).toBe("PONG");
    expect((await disarms())[0]).toBe(0);
  });
});
