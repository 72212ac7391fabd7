import { createKeys, signsOfUse } from "@quantum/contract";
import { useRedis } from "@quantum/harness/vitest";
import { connectForCommands, type RedisClient } from "@quantum/redis";
import { beforeEach, describe, expect, it } from "vitest";
import { wrongPartitions } from "./agreed-partitions.ts";
import { launch } from "./launch.fixture.ts";
import { openPartitions } from "./partitions.ts";

const { redis, server } = await useRedis();
beforeEach(() => redis.flushall());

const { partitions: KEY } = createKeys();
const connect = () => connectForCommands({ url: server.url, name: "test", onError: () => undefined });
const wrong = (count: number, connectTo: () => RedisClient = connect) =>
  wrongPartitions(
    openPartitions(count, () => ({ redis, connectForBlocking: () => redis })),
    { connectTo, isCluster: false },
  );

/** Somebody has worked with these keys. */
const used = (partition?: number) => signsOfUse(createKeys(partition === undefined ? {} : { partition }));

describe("a Redis that nobody has worked on", () => {
  it("is one partition until a service with more comes, and then as many as the first one says", async () => {
    expect(await wrong(1)).toEqual([]);
    expect(await redis.keys("*")).toEqual([]);
    expect(await wrong(3)).toEqual([]);
    expect(await redis.get(KEY)).toBe("3");
    expect(await wrong(3)).toEqual([]);
    for (const other of [1, 2, 6])
      expect(await wrong(other)).toEqual([
        `PARTITIONS=${other}: ${KEY} says "3": set PARTITIONS to that, or change it with permitctl partitions migrate`,
      ]);
    expect(await redis.get(KEY)).toBe("3");
  });

  it("is taken by one of many that come at once", async () => {
    const answers = await Promise.all([2, 3, 4, 5].map((count) => wrong(count)));
    const taken = Number(await redis.get(KEY));
    expect(answers.map((problems) => problems.length === 0)).toEqual([2, 3, 4, 5].map((n) => n === taken));
  });
});

it("a number that another service writes at the last moment stays", async () => {
  const client = connect();
  const setnx = client.setnx.bind(client);
  Object.assign(client, {
    setnx: async (key: string, value: string) => {
      await redis.set(KEY, "6");
      return setnx(key, value);
    },
  });
  expect(await wrong(3, () => client)).toEqual([expect.stringContaining('says "6"')]);
  expect(await redis.get(KEY)).toBe("6");
});

describe.each([0, 1, 2])("a Redis in which stream %i exists", (index) => {
  it("of the wire's layout is refused with more than one partition, and is not changed", async () => {
    const stream = String(used()[index]);
    await redis.xgroup("CREATE", stream, "group", "0", "MKSTREAM");
    expect(await wrong(1)).toEqual([]);
    expect(await wrong(3)).toEqual([expect.stringContaining("this Redis has one partition")]);
    expect(await redis.keys("*")).toEqual([stream]);
    // Moved, with something left.
    await redis.set(KEY, "3");
    expect(await wrong(3)).toEqual([]);
  });

  it("of partition 0 is refused if nothing says how many there are, whoever comes", async () => {
    const stream = String(used(0)[index]);
    await redis.xgroup("CREATE", stream, "group", "0", "MKSTREAM");
    for (const count of [1, 3])
      expect(await wrong(count)).toEqual([
        expect.stringContaining(`but ${KEY}, which says how many, is gone`),
      ]);
    expect(await redis.keys("*")).toEqual([stream]);
  });
});

it.each(["", "x", "03", "3 "])("a number that reads %j is refused", async (text) => {
  await redis.set(KEY, text);
  for (const count of [1, 3])
    expect(await wrong(count)).toEqual([expect.stringContaining(`says ${JSON.stringify(text)}`)]);
});

it("a service whose PARTITIONS is another does not start, and says both", async () => {
  await redis.set(KEY, "6");
  const service = launch("sample.fixture.ts", { REDIS_URL: server.url, PARTITIONS: "3" });
  expect(await service.exited).toEqual({ code: 2, signal: null });
  const { msg } = await service.log(/^sample cannot start/);
  expect(msg).toContain(`PARTITIONS=3: ${KEY} says "6"`);
  expect(await redis.keys("*")).toEqual([KEY]);
});
