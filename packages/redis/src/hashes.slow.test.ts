import { slotOf } from "@quantum/contract";
import { patienceMs, type RedisCluster, startRedisCluster, startRedisServer } from "@quantum/harness";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { connectForCommands } from "./connection.ts";
import { connectForHashes, type Hashes } from "./hashes.ts";

const WAIT = { timeout: patienceMs(10_000), interval: 20 };
/** Of slots of each of three masters. */
const KEYS = ["a", "b", "c", "d", "e", "f"].map((symbol) => `quantum:harvest:proposal:${symbol}`);
const [KEY = ""] = KEYS;
const FIELDS = { harvest_action: "HOLD", kill_score: "0.5" };

function connect(url: string): Hashes {
  const hashes = connectForHashes({ url, name: "test", onError: () => undefined });
  onTestFinished(() => hashes.close());
  return hashes;
}

describe("hashes in a cluster", () => {
  let cluster: RedisCluster;
  beforeAll(async () => void (cluster = await startRedisCluster({ masters: 3, replicas: 1 })));
  afterAll(() => cluster.stop());
  beforeEach(() => cluster.heal());
  const hashesOf = () => connect(`redis+cluster://127.0.0.1:${cluster.ports[0]}`);

  it("are written and read wherever they are, on one connection to each master", async () => {
    const masters = await Promise.all(KEYS.map((key) => cluster.masterOf(slotOf(key))));
    expect(new Set(masters).size).toBe(3);
    const hashes = hashesOf();
    await Promise.all(KEYS.map((key) => hashes.replace(key, { gone: "1" })));
    await Promise.all(KEYS.map((key, n) => hashes.replace(key, { ...FIELDS, n: String(n) })));
    expect(await Promise.all(KEYS.map((key) => hashes.read(key)))).toEqual(
      KEYS.map((_, n) => ({ ...FIELDS, n: String(n) })),
    );
    for (const port of new Set(masters)) {
      const client = connectForCommands({
        url: `redis://127.0.0.1:${port}`,
        name: "looks",
        onError: () => undefined,
      });
      const list = (await client.client("LIST")) as string;
      client.disconnect();
      expect(list.match(/ name=test /g)).toHaveLength(1);
    }
  });

  it.each([
    ["that is killed", () => cluster.killMaster(slotOf(KEY))],
    ["that is replaced on order", () => cluster.promote(slotOf(KEY))],
    [
      "of a slot that moves",
      async () => {
        const from = await cluster.masterOf(slotOf(KEY));
        const to = (await cluster.nodes()).find(
          ({ masterId, port }) => masterId === undefined && port !== from,
        );
        await cluster.reshard(slotOf(KEY), to?.port ?? 0);
      },
    ],
  ])("follow the master %s", async (_, replace) => {
    const hashes = hashesOf();
    await hashes.replace(KEY, FIELDS);
    await replace();
    await vi.waitFor(async () => {
      await hashes.replace(KEY, { ...FIELDS, kill_score: "0.6" });
      expect(await hashes.read(KEY)).toEqual({ ...FIELDS, kill_score: "0.6" });
    }, WAIT);
  });

  it.each([
    ["that is the only one, and has met no other", 1, {}],
    ["of which none tells a host", 3, { "cluster-preferred-endpoint-type": "unknown-endpoint" }],
  ])("are at the host that was asked, by a node %s", async (_, masters, config) => {
    const silent = await startRedisCluster({ masters, config });
    onTestFinished(() => silent.stop());
    // The others are only known from it.
    const hashes = connect(`redis+cluster://127.0.0.1:${silent.ports[0]}`);
    await Promise.all(KEYS.map((key, n) => hashes.replace(key, { ...FIELDS, n: String(n) })));
    expect(await Promise.all(KEYS.map((key) => hashes.read(key)))).toEqual(
      KEYS.map((_, n) => ({ ...FIELDS, n: String(n) })),
    );
    if (masters === 1) return;
    const slot = slotOf(KEY);
    const others = silent.ports.filter((port) => port !== silent.ports[0]);
    await silent.reshard(
      slot,
      (await silent.masterOf(slot)) === others[0] ? (others[1] ?? 0) : (others[0] ?? 0),
    );
    await vi.waitFor(async () => expect(await hashes.read(KEY)).toEqual({ ...FIELDS, n: "0" }), WAIT);
  });

  it("are not written later, if they could not be while no node answered", async () => {
    const alone = await startRedisCluster({ masters: 3 });
    onTestFinished(() => alone.stop());
    const hashes = connect(alone.url);
    await hashes.replace(KEY, FIELDS);
    const signal = (name: NodeJS.Signals) => {
      for (const port of alone.ports) process.kill(alone.pidOf(port), name);
    };
    signal("SIGSTOP");
    const isAway = () => expect(hashes.read(KEY)).rejects.toThrow("no node of the cluster answers");
    await vi.waitFor(isAway, WAIT);
    const late = hashes.replace(KEY, { ...FIELDS, kill_score: "0.9" });
    await expect(late).rejects.toThrow("answer");
    signal("SIGCONT");
    await vi.waitFor(async () => expect(await hashes.read(KEY)).toEqual(FIELDS), WAIT);
    await hashes.replace(KEY, { ...FIELDS, kill_score: "0.8" });
    expect(await hashes.read(KEY)).toEqual({ ...FIELDS, kill_score: "0.8" });
  });

  it("are not waited for where no node answers", async () => {
    const hashes = connect("redis+cluster://127.0.0.1:1");
    await expect(hashes.read(KEY)).rejects.toThrow(`HGETALL ${KEY}: no answer within 2000 ms`);
  });
});

it("hashes of one server are there, too, and say what is none", async () => {
  const server = await startRedisServer();
  onTestFinished(() => server.stop());
  const hashes = connect(server.url);
  expect(await hashes.read(KEY)).toEqual({});
  await hashes.replace(KEY, FIELDS);
  expect(await hashes.read(KEY)).toEqual(FIELDS);
  const client = connectForCommands({ url: server.url, name: "looks", onError: () => undefined });
  await client.set(KEY, "text");
  client.disconnect();
  await expect(hashes.read(KEY)).rejects.toThrow("WRONGTYPE");
});
