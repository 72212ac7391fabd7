/** For real orders: what replaces a lost master, on real Sentinels and a real cluster. */
import { createKeys, slotOf } from "@quantum/contract";
import { patienceMs, startRedisCluster, startReplicatedRedis } from "@quantum/harness";
import { connectForCommands, disconnect, readFacts, type RedisClient } from "@quantum/redis";
import { pino } from "pino";
import { expect, it, onTestFinished, vi } from "vitest";
import { openPartitions } from "./partitions.ts";
import { admitRealOrders } from "./real-orders.ts";

const WAIT = { timeout: patienceMs(30_000), interval: 100 };
const DURABLE = { appendonly: "yes", appendfsync: "always", "min-replicas-to-write": "1" };

function connect(url: string, slot = ""): RedisClient {
  const client = connectForCommands({ url, slotOf: slot, name: "test", onError: () => undefined });
  onTestFinished(() => disconnect(client));
  return client;
}

/** Why real orders are refused; empty: they are admitted. */
async function refusal(url: string, count: number): Promise<string[]> {
  const opened = openPartitions(count, (key) => {
    const redis = connect(url, key);
    return { redis, connectForBlocking: () => redis };
  });
  const facts = await Promise.all(opened.map(({ redis }) => readFacts(redis)));
  const partitions = opened.with(({ number }) => ({ facts: facts[number] as never }));
  const log = pino({ level: "silent" });
  const clocksAgree = async () => undefined;
  return await admitRealOrders({ partitions, log, clocksAgree }, true).then(
    () => [],
    (error: { violations: string[] }) => error.violations,
  );
}

it("Sentinels that take their time are refused by their address, and so is a master that does without its replicas", async () => {
  const redis = await startReplicatedRedis({ config: DURABLE });
  onTestFinished(() => redis.stop());
  expect(await refusal(redis.url, 2)).toEqual([]);

  const [, port] = redis.sentinelPorts;
  const sentinel = connectForCommands({
    url: `redis://127.0.0.1:${port}`,
    name: "test",
    onError: () => undefined,
    readyCheck: false,
  });
  onTestFinished(() => disconnect(sentinel));
  const set = (name: string, value: string) => sentinel.call("SENTINEL", "SET", redis.name, name, value);
  await set("down-after-milliseconds", "30000");
  await set("failover-timeout", "180000");
  expect(await refusal(redis.url, 2)).toEqual([
    expect.stringContaining(`: down-after-milliseconds of Sentinel 127.0.0.1:${port} is 30000: `),
    expect.stringContaining(`: failover-timeout of Sentinel 127.0.0.1:${port} is 180000: `),
  ]);
  await set("down-after-milliseconds", "2000");
  await set("failover-timeout", "4000");

  const master = connect(redis.url);
  await redis.killReplicas();
  await vi.waitFor(async () => expect((await readFacts(master)).replicas).toBe(0), WAIT);
  await master.config("SET", "min-replicas-to-write", "0");
  expect(await refusal(redis.url, 2)).toEqual([expect.stringContaining(": min-replicas-to-write is 0: ")]);
  await master.config("SET", "min-replicas-to-write", "1");
  expect(await refusal(redis.url, 2)).toEqual([]);
});

it("a cluster is judged master by master, and what is refused names the partitions", async () => {
  const cluster = await startRedisCluster({ masters: 3, replicas: 1, config: DURABLE });
  onTestFinished(() => cluster.stop());
  expect(await refusal(cluster.url, 3)).toEqual([]);

  const key = createKeys({ partition: 1 }).probe;
  const port = await cluster.masterOf(slotOf(key));
  const ofMaster = await Promise.all(
    [0, 1, 2].map(async (partition) => {
      return (await cluster.masterOf(slotOf(createKeys({ partition }).probe))) === port
        ? `q${partition}`
        : [];
    }),
  );
  const named = ofMaster.flat().join(", ");
  const master = connect(cluster.url, key);
  await master.config("SET", "cluster-node-timeout", "60000");
  expect(await refusal(cluster.url, 3)).toEqual([
    expect.stringMatching(new RegExp(`: partitions? ${named}: cluster-node-timeout is 60000: `)),
  ]);
  await master.config("SET", "cluster-node-timeout", "1000");

  const own = (await cluster.nodes()).find((node) => node.port === port);
  const replica = (await cluster.nodes()).find(({ masterId }) => masterId === own?.id);
  const other = connectForCommands({
    url: `redis://127.0.0.1:${replica?.port}`,
    name: "test",
    onError: () => undefined,
  });
  onTestFinished(() => disconnect(other));
  // It leaves its master without a word, and the master knows it all the same.
  await other.call("SHUTDOWN", "NOSAVE").catch(() => undefined);
  await vi.waitFor(async () => expect((await readFacts(master)).replicas).toBe(0), WAIT);
  await master.config("SET", "min-replicas-to-write", "0");
  expect(await refusal(cluster.url, 3)).toEqual([
    expect.stringMatching(new RegExp(`: partitions? ${named}: min-replicas-to-write is 0: `)),
  ]);
});
