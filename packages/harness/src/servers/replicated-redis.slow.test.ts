import { setTimeout as delay } from "node:timers/promises";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { startReplicatedRedis, type ReplicatedRedis } from "./replicated-redis.ts";
import { urlOfUser } from "./redis-users.ts";

/** Longer than the Sentinels need to take a master for lost. */
const BLIND_MS = 4_000;

let redis: ReplicatedRedis;
beforeAll(async () => {
  redis = await startReplicatedRedis();
});
afterAll(() => redis.stop());

function clientOf(port: number, user?: string): RedisClient {
  const url = `redis://127.0.0.1:${port}`;
  const client = connectForCommands({
    url: user === undefined ? url : urlOfUser(url, user),
    name: "tester",
    onError: () => undefined,
  });
  onTestFinished(() => disconnect(client));
  return client;
}

const replicas = async (client: RedisClient) =>
  Number(/connected_slaves:(\d+)/.exec(await client.info())?.[1]);

it("has Sentinels that name the same master", async () => {
  const master = String(await redis.masterPort());
  for (const port of redis.sentinelPorts) {
    const address = await clientOf(port).call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", redis.name);
    expect(address).toEqual(["127.0.0.1", master]);
  }
});

it("puts a replica in the place of a master that dies, and takes the old one back as a replica", async () => {
  const first = await redis.masterPort();
  await clientOf(first).set("kept", "1");
  expect(await clientOf(first).wait(2, 0)).toBe(2);
  const second = await redis.killMaster();
  expect(second).not.toBe(first);
  expect(await clientOf(second).get("kept")).toBe("1");
  await redis.heal();
  for (const port of [first, second]) expect(await clientOf(port, "executor").ping()).toBe("PONG");
  expect(await replicas(clientOf(second))).toBe(2);
  expect(await clientOf(first).role()).toContain("slave");
});

it("fails over when it is told to", async () => {
  const first = await redis.masterPort();
  expect(await redis.promote()).not.toBe(first);
  await redis.heal();
});

it("loses what the replicas did not get", async () => {
  const master = clientOf(await redis.masterPort());
  await redis.cutReplication();
  await master.set("lost", "1");
  const promoted = clientOf(await redis.killMaster());
  expect(await promoted.get("lost")).toBeNull();
  await redis.heal();
});

it("keeps an isolated master's clients while another is elected, and then drops what they wrote", async () => {
  const first = await redis.masterPort();
  const old = clientOf(first);
  await redis.isolateMaster();
  await old.set("isolated", "1");
  const second = clientOf(await redis.untilReplaced(first));
  expect(await old.get("isolated")).toBe("1");
  expect(await old.role()).toContain("master");
  expect(await second.get("isolated")).toBeNull();
  await redis.heal();
  expect(await old.get("isolated")).toBeNull();
});

it("goes on without replicas, and gets them back", async () => {
  const master = clientOf(await redis.masterPort());
  await redis.killReplicas();
  await expect.poll(() => replicas(master)).toBe(0);
  await redis.heal();
  expect(await replicas(master)).toBe(2);
});

it.each([0, 1])("keeps a lost master's place empty while %i of three Sentinels are left", async (left) => {
  const first = await redis.masterPort();
  await clientOf(first).set("alone", "1");
  expect(await clientOf(first).wait(2, 0)).toBe(2);
  await redis.killSentinels(left);
  expect(await clientOf(first).get("alone")).toBe("1");
  const replacing = redis.killMaster();
  const still = delay(BLIND_MS, "its place is empty");
  expect(await Promise.race([replacing, still])).toBe("its place is empty");
  await redis.startSentinels();
  const second = await replacing;
  expect(second).not.toBe(first);
  expect(await clientOf(second).get("alone")).toBe("1");
  await redis.heal();
});
