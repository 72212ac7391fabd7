/** A change of the number of partitions on a real cluster of three masters with a replica each, killed on its way. */
import { createKeys } from "@quantum/contract";
import { startRedisCluster } from "@quantum/harness";
import { useRedis } from "@quantum/harness/vitest";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { BY } from "../access.fixture.ts";
import { everything, killedAt, seed, timeless } from "./migrate.fixture.ts";
import { lookBefore, migrate } from "./migrate.ts";
import { slotName } from "./store.ts";

const START_MS = 60_000;
const wire = createKeys();
/** A cluster's keys come from one server. */
const { redis } = await useRedis();
const onServer = (count: number) => migrate({ redisOf: () => redis }, { to: count, by: BY });
let cluster: Awaited<ReturnType<typeof startRedisCluster>>;
let masters: RedisClient[] = [];
const connections = new Map<string, RedisClient>();

function redisOf(key: string): RedisClient {
  const options = { url: cluster.url, slotOf: key, name: "test", onError: () => undefined };
  const known = connections.get(key) ?? connectForCommands(options);
  connections.set(key, known);
  return known;
}
const onCluster = (count: number) => migrate({ redisOf }, { to: count, by: BY });

beforeAll(async () => {
  cluster = await startRedisCluster({ replicas: 1, partitions: 6 });
  masters = cluster.ports
    .slice(0, 3)
    .map((port) =>
      connectForCommands({ url: `redis://127.0.0.1:${port}`, name: "test", onError: () => undefined }),
    );
}, START_MS);
afterAll(async () => {
  await Promise.all([...connections.values(), ...masters].map(disconnect));
  await cluster.stop();
});
beforeEach(() => redis.flushall());

/** What one server has with so many partitions, but for the wire's keys of which only publishers and operators know. */
async function load(): Promise<void> {
  await Promise.all(masters.map((master) => master.flushall()));
  for (const key of await redis.keys("quantum:*")) {
    if (slotName(key) === wire.partitions && key !== wire.partitions) continue;
    const [payload, expiresAt] = await Promise.all([redis.dumpBuffer(key), redis.pexpiretime(key)]);
    await redisOf(slotName(key)).restore(key, Math.max(0, expiresAt), payload ?? "", "ABSTTL");
  }
}

async function tagged(servers: readonly RedisClient[]): Promise<Map<string, string>> {
  const all = await Promise.all(servers.map(everything));
  const entries = all.flatMap((one) => [...timeless(one)]);
  return new Map(
    entries
      .filter(([key]) => key === wire.partitions || slotName(key) !== wire.partitions)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}

it.each([
  [3, 6],
  [6, 3],
])(
  "from %i to %i ends as on one server, wherever it is killed, and goes back",
  async (from, to) => {
    await seed(redis);
    await onServer(from);
    await load();
    const before = await tagged([redis]);
    expect(await tagged(masters)).toEqual(before);
    await onServer(to);
    const after = await tagged([redis]);
    await onCluster(to);
    expect(await tagged(masters)).toEqual(after);
    await onCluster(from);
    expect(await tagged(masters)).toEqual(before);
    let kills = 0;
    for (let at = 1; ; at += 9) {
      if (!(await killedAt({ redisOf }, at, to))) break;
      kills += 1;
      await onCluster(to);
      expect({ at, all: await tagged(masters) }).toEqual({ at, all: after });
      await killedAt({ redisOf }, at, from);
      await onCluster(from);
      expect({ at, all: await tagged(masters) }).toEqual({ at, all: before });
    }
    expect(kills).toBeGreaterThan(10);
  },
  300_000,
);

it("is refused by a plan that waits on any of its masters, and by a single server's address", async () => {
  await seed(redis);
  await onServer(3);
  await load();
  for (const partition of [0, 1, 2]) {
    const { waiting } = createKeys({ partition });
    await redisOf(createKeys({ partition }).probe).zadd(waiting("BTCUSDT"), 1, "00aa");
    expect((await lookBefore({ redisOf }, 6)).problems).toEqual([expect.stringContaining(`{q${partition}}`)]);
    await redisOf(createKeys({ partition }).probe).del(waiting("BTCUSDT"));
  }
  const home = await Promise.any(
    masters.map(async (master) => {
      await master.get(wire.partitions);
      return master;
    }),
  );
  await expect(migrate({ redisOf: () => home }, { to: 6, by: BY })).rejects.toThrow("MOVED");
  expect(await home.get(wire.partitions)).toBe("3");
});
