import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { patienceMs } from "../processes/patience.ts";
import { startRedisCluster, type RedisCluster } from "./redis-cluster.ts";
import { urlOfUser } from "./redis-users.ts";

const KEY = "quantum:{q3}:test";
let cluster: RedisCluster;
/** KEY's. */
let slot: number;
beforeAll(async () => {
  cluster = await startRedisCluster({ masters: 3, replicas: 1 });
  slot = (await clientOf(cluster.ports[0], afterAll).call("CLUSTER", "KEYSLOT", KEY)) as number;
});
afterAll(() => cluster.stop());

function clientOf(port: number | undefined, whenOver: typeof onTestFinished = onTestFinished): RedisClient {
  return clientAt(`redis://127.0.0.1:${port}`, whenOver);
}

function clientAt(url: string, whenOver: typeof onTestFinished = onTestFinished): RedisClient {
  const client = connectForCommands({ url, name: "tester", onError: () => undefined });
  whenOver(() => disconnect(client));
  return client;
}

const masters = async () => (await cluster.nodes()).filter(({ masterId }) => masterId === undefined);
const otherMaster = async (than: number) => {
  const other = (await masters()).find(({ port, isFailed }) => port !== than && !isFailed);
  if (other === undefined) throw new Error("a cluster of three masters has another one");
  return other.port;
};

it("shares all slots among its masters, and every master has a replica", async () => {
  const nodes = await cluster.nodes();
  expect(nodes).toHaveLength(6);
  const sizes = (await masters()).map(({ slots }) =>
    slots.reduce((sum, { from, to }) => sum + to - from + 1, 0),
  );
  expect(sizes).toEqual([expect.any(Number), expect.any(Number), expect.any(Number)]);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(16_384);
  const followed = nodes.flatMap(({ masterId }) => masterId ?? []);
  expect(followed.toSorted()).toEqual((await masters()).map(({ id }) => id).toSorted());
});

it("has the pipeline's users on every node", async () => {
  for (const port of cluster.ports) {
    expect(await clientAt(urlOfUser(`redis://127.0.0.1:${port}`, "executor")).ping()).toBe("PONG");
  }
});

it("serves a key at the master of its slot, and names that master elsewhere", async () => {
  const port = await cluster.masterOf(slot);
  await clientOf(port).set(KEY, "1");
  expect(await clientOf(port).get(KEY)).toBe("1");
  await expect(clientOf(await otherMaster(port)).get(KEY)).rejects.toThrow(`MOVED ${slot} 127.0.0.1:${port}`);
});

it("moves a slot with its keys, and asks for the rest at the new master in between", async () => {
  const from = await cluster.masterOf(slot);
  const to = await otherMaster(from);
  const old = clientOf(from);
  await old.set(KEY, "moved");
  await cluster.reshard(slot, to, async () => {
    expect(await old.get(KEY)).toBe("moved");
    await expect(old.get("quantum:{q3}:new")).rejects.toThrow(`ASK ${slot} 127.0.0.1:${to}`);
  });
  expect(await cluster.masterOf(slot)).toBe(to);
  await expect(old.get(KEY)).rejects.toThrow(`MOVED ${slot} 127.0.0.1:${to}`);
  expect(await clientOf(to).get(KEY)).toBe("moved");
  await cluster.reshard(slot, from);
  expect(await cluster.masterOf(slot)).toBe(from);
});

it("makes a replica master when it is told to, and loses nothing", async () => {
  const first = await cluster.masterOf(slot);
  await clientOf(first).set(KEY, "kept");
  const second = await cluster.promote(slot);
  expect(second).not.toBe(first);
  expect(await clientOf(second).get(KEY)).toBe("kept");
  await cluster.heal();
});

it("replaces a master that dies, and takes it back as a replica", async () => {
  const first = await cluster.masterOf(slot);
  const second = await cluster.killMaster(slot);
  expect(second).not.toBe(first);
  await clientOf(second).set(KEY, "after");
  await cluster.heal();
  const nodes = await cluster.nodes();
  const master = nodes.find(({ port }) => port === second);
  expect(nodes.find(({ port }) => port === first)?.masterId).toBe(master?.id);
});

it("loses what the replica did not get", async () => {
  const first = await cluster.masterOf(slot);
  await cluster.cutReplication(slot);
  await clientOf(first).set(KEY, "lost");
  const second = await cluster.killMaster(slot);
  expect(await clientOf(second).get(KEY)).not.toBe("lost");
  await cluster.heal();
});

it("replaces a master that is frozen, and takes it back as a replica when it goes on", async () => {
  const first = await cluster.masterOf(slot);
  const resume = await cluster.freezeMaster(slot);
  const second = await cluster.masterOf(slot);
  expect(second).not.toBe(first);
  resume();
  await cluster.heal();
  expect(await cluster.replicasOf(slot)).toEqual([first]);
});

it("goes on without a master's replicas, and gets them back", async () => {
  const port = await cluster.masterOf(slot);
  const [replica = 0] = await cluster.replicasOf(slot);
  await cluster.killReplicas(slot);
  await expect(clientOf(replica).ping()).rejects.toThrow(/ECONNREFUSED|closed|retries/);
  expect(await clientOf(port).set(KEY, "alone")).toBe("OK");
  await cluster.heal();
  expect(await clientOf(replica).ping()).toBe("PONG");
});

it("cuts one master off from the others: it takes its last write within 1.5 times cluster-node-timeout", async () => {
  const own = await startRedisCluster({ masters: 3, replicas: 1, canIsolate: true });
  onTestFinished(() => own.stop());
  const first = await own.masterOf(slot);
  const old = clientOf(first);
  await old.set(KEY, "before");
  const [, timeout] = (await old.config("GET", "cluster-node-timeout")) as [string, string];
  await own.isolateMaster(slot);
  const beganMs = performance.now();
  let writes = 0;
  let lastMs = beganMs;
  const refusal = async () => {
    for (;;) {
      const sentMs = performance.now();
      try {
        await old.set(KEY, "alone");
      } catch (error) {
        return error;
      }
      writes += 1;
      lastMs = sentMs;
    }
  };
  expect(String(await refusal())).toContain("CLUSTERDOWN");
  expect(writes).toBeGreaterThan(0);
  expect(lastMs - beganMs).toBeLessThan(patienceMs(1.5 * Number(timeout)));
  const second = await own.untilReplaced(slot, first);
  expect(second).not.toBe(first);
  await own.heal();
  expect(await own.replicasOf(slot)).toEqual([first]);
  expect(await clientOf(second).get(KEY)).toBe("before");
});
