/** The watch, with the wire's kill switch on one Redis and the partitions on others, and the script that writes a mark. */
import { createKeys } from "@quantum/contract";
import { startRedisServer, type TestRedis } from "@quantum/harness";
import { bindScript, connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { openPartitions, Progress } from "@quantum/service-kit";
import * as fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { watchKillSwitch } from "./kill-switch-watch.ts";

const WIRE = createKeys().killSwitch;
const SEEN = createKeys({ partition: 3 }).killSwitchSeen;
const PARTITIONS = 3;
/** Has this partition alone. */
const AWAY = 2;

let wire: TestRedis;
let near: TestRedis;
let away: TestRedis;
const clients = new Map<TestRedis, RedisClient>();
const connect = (server: TestRedis) =>
  connectForCommands({ url: server.url, name: "test", onError: () => undefined });
const clientOf = (server: TestRedis): RedisClient => {
  const client = clients.get(server);
  if (client === undefined) throw new Error("not started");
  return client;
};
beforeAll(async () => {
  [wire, near, away] = await Promise.all([startRedisServer(), startRedisServer(), startRedisServer()]);
  for (const server of [wire, near, away]) clients.set(server, connect(server));
});
afterAll(async () => {
  for (const client of clients.values()) await disconnect(client);
  await Promise.all([wire, near, away].map((server) => server.stop()));
});
beforeEach(() => Promise.all([...clients.values()].map((client) => client.flushall())));

let partitions: ReturnType<typeof openPartitions> | undefined;
let stop: (() => Promise<void>) | undefined;
afterEach(async () => {
  await stop?.();
  await Promise.all(partitions?.map(({ redis }) => disconnect(redis)) ?? []);
  [stop, partitions] = [undefined, undefined];
});

/** @returns what could not be done, in order */
async function watch(count = PARTITIONS): Promise<{ failures: string[]; asked: string[] }> {
  const failures: string[] = [];
  const asked: string[] = [];
  partitions = openPartitions(count, (key) => ({
    redis: connect(key.includes(`{q${AWAY}}`) ? away : near),
    connectForBlocking: () => connect(near),
  }));
  const watching = await watchKillSwitch({
    partitions,
    connectTo: (key) => {
      asked.push(key);
      return connect(wire);
    },
    progress: new Progress(),
    onError: (doing, { message }) => void failures.push(`${doing}: ${message}`),
  });
  stop = () => watching.stop();
  return { failures, asked };
}

const markOf = (partition: number) =>
  clientOf(partition === AWAY ? away : near).get(createKeys({ partition }).killSwitchSeen);
const words = async () => {
  const marks = await Promise.all([0, 1, 2].map(markOf));
  return marks.map((mark) => mark?.split(" ")[1] ?? "none");
};
const atMs = async (partition: number) => Number((await markOf(partition))?.split(" ")[0]);

const RUNNING = ["running", "running", "running"];
const HALTED = ["halted", "halted", "halted"];

describe("the watch", () => {
  it("has marked every partition before anything else begins, and renews the marks", async () => {
    const { asked, failures } = await watch();
    expect(await words()).toEqual(RUNNING);
    const [first] = await clientOf(near).time();
    expect(Math.abs((await atMs(0)) - Number(first) * 1_000)).toBeLessThan(60_000);
    const before = await Promise.all([0, 1, 2].map(atMs));
    for (const [partition, ms] of before.entries())
      await expect.poll(() => atMs(partition)).toBeGreaterThan(ms);
    expect(asked).toEqual([WIRE]);
    expect(failures).toEqual([]);
  });

  it("shows a kill switch that is turned on, and off again, and writes none", async () => {
    await watch();
    for (const value of ["1", "", "maybe"]) {
      await clientOf(wire).set(WIRE, value);
      await expect.poll(words).toEqual(HALTED);
      expect(await clientOf(wire).get(WIRE)).toBe(value);
      await clientOf(wire).set(WIRE, " Off ");
      await expect.poll(words).toEqual(RUNNING);
    }
    await clientOf(wire).del(WIRE);
    await clientOf(wire).lpush(WIRE, "0");
    await expect.poll(words).toEqual(HALTED);
    const found = await Promise.all([0, 1].map((partition) => clientOf(near).keys(`*{q${partition}}*`)));
    expect(found.flat().toSorted()).toEqual(
      [0, 1].map((partition) => createKeys({ partition }).killSwitchSeen),
    );
  });

  it("renews nothing while the kill switch cannot be read, says so once, and goes on after", async () => {
    const { failures } = await watch();
    wire.pause();
    const [seconds, micros] = await clientOf(near).time();
    const pausedMs = Number(seconds) * 1_000 + Number(micros) / 1_000;
    await expect.poll(() => failures.length).toBe(PARTITIONS);
    // The third partition's Redis has the same clock.
    for (const partition of [0, 1, AWAY]) expect(await atMs(partition)).toBeLessThanOrEqual(pausedMs);
    expect(await words()).toEqual(RUNNING);
    wire.resume();
    await clientOf(wire).set(WIRE, "1");
    await expect.poll(words).toEqual(HALTED);
    expect(failures.map((text) => text.replace(/:.*/, "")).toSorted()).toEqual(
      [0, 1, AWAY].map((partition) => `show partition q${partition} the kill switch`),
    );
  });

  it("believes no replica: what it has may be old", async () => {
    await clientOf(wire).replicaof("127.0.0.1", near.port);
    const { failures } = await watch();
    expect(await words()).toEqual(["none", "none", "none"]);
    expect(failures[0]).toMatch(/READONLY/);
    await clientOf(wire).replicaof("NO", "ONE");
    await expect.poll(words).toEqual(RUNNING);
  });

  it("believes no master that is cut off from the replicas that it needs", async () => {
    await clientOf(wire).config("SET", "min-replicas-to-write", "1");
    const { failures } = await watch();
    expect(await words()).toEqual(["none", "none", "none"]);
    expect(failures[0]).toMatch(/NOREPLICAS/);
    await clientOf(wire).config("SET", "min-replicas-to-write", "0");
    await expect.poll(words).toEqual(RUNNING);
  });

  it("goes on in other partitions while one does not answer", async () => {
    const { failures } = await watch();
    away.pause();
    await expect.poll(() => failures.length).toBe(1);
    await clientOf(wire).set(WIRE, "1");
    const word = async (partition: number) => (await markOf(partition))?.split(" ")[1];
    for (const partition of [0, 1]) await expect.poll(() => word(partition)).toBe("halted");
    away.resume();
    await expect.poll(() => word(AWAY)).toBe("halted");
    expect(failures[0]).toMatch(`show partition q${AWAY} the kill switch`);
  });

  it("does nothing with one partition, whose kill switch is the wire's", async () => {
    const { asked } = await watch(1);
    expect(asked).toEqual([]);
    expect(await clientOf(near).dbsize()).toBe(0);
  });
});

describe("lua/halts/see_kill_switch", () => {
  const see = bindScript("halts/see_kill_switch");
  const call = async (word: string, askedMs: number) =>
    (
      await see(clientOf(near), {
        keys: { kill_switch_seen: SEEN },
        args: { word, asked_ms: String(askedMs) },
      })
    )[0];
  const now = async () => Number((await clientOf(near).time())[0]) * 1_000;

  it("keeps the latest read, in whatever order reads are written", async () => {
    const startMs = (await now()) - 10_000;
    const read = fc.record({ afterMs: fc.nat(9_000), word: fc.constantFrom("running", "halted") });
    await fc.assert(
      fc.asyncProperty(fc.array(read, { minLength: 1, maxLength: 8 }), async (reads) => {
        await clientOf(near).del(SEEN);
        const replies = [];
        for (const { afterMs, word } of reads) replies.push(await call(word, startMs + afterMs));
        const latest = Math.max(...reads.map(({ afterMs }) => afterMs));
        const first = reads.find(({ afterMs }) => afterMs === latest);
        expect(await clientOf(near).get(SEEN)).toBe(`${startMs + latest} ${first?.word}`);
        const isNew = reads.map(({ afterMs }, index) =>
          reads.slice(0, index).every((other) => other.afterMs < afterMs),
        );
        expect(replies).toEqual(isNew.map((newer) => (newer ? "SEEN" : "OLDER")));
      }),
      { numRuns: 50 },
    );
  });

  it.each<[string, (client: RedisClient) => Promise<unknown>]>([
    [
      "of a clock that has stepped back since",
      async (client) => client.set(SEEN, `${(await now()) + 60_000} running`),
    ],
    ["of the wrong type", (client) => client.lpush(SEEN, "running")],
    ["without a time", (client) => client.set(SEEN, "running")],
  ])("replaces a mark %s", async (_, write) => {
    await write(clientOf(near));
    const askedMs = await now();
    expect(await call("halted", askedMs)).toBe("SEEN");
    expect(await clientOf(near).get(SEEN)).toBe(`${askedMs} halted`);
  });
});
