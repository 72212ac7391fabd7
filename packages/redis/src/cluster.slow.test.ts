import { slotOf } from "@quantum/contract";
import { patienceMs, type RedisCluster, startRedisCluster } from "@quantum/harness";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { connectForBlocking, connectForCommands, disconnect, type RedisClient } from "./connection.ts";
import { readFacts, unusable } from "./preflight.ts";

const WAIT = { timeout: patienceMs(10_000), interval: 20 };
const KEY = "{q3}:list";
const SLOT = slotOf(KEY);

let cluster: RedisCluster;
beforeAll(async () => void (cluster = await startRedisCluster({ masters: 3, replicas: 1 })));
afterAll(() => cluster.stop());
beforeEach(() => cluster.heal());

const urlOf = (ports = cluster.ports) => `redis+cluster://${ports.map((port) => `127.0.0.1:${port}`).join()}`;

function connect(make = connectForCommands, slotOf: string | undefined = KEY, url = urlOf()): RedisClient {
  const client = make({ url, slotOf, name: "test", onError: () => undefined });
  onTestFinished(() => disconnect(client));
  return client;
}

const portOf = ({ stream }: RedisClient) => stream.remotePort;

describe("connections in a cluster", () => {
  it("lead to the master of a key's slot, whichever node is named", async () => {
    for (const key of ["{q0}", "{q1}", "{q2}", "{q3}", "{q4}", "{q5}"]) {
      for (const port of cluster.ports) {
        const client = connect(connectForCommands, key, urlOf([port]));
        await client.set(`${key}:a`, "1");
        expect(portOf(client)).toBe(await cluster.masterOf(slotOf(key)));
      }
    }
    expect(unusable(await readFacts(connect()))).toEqual([]);
  });

  it.each([
    ["that is killed", () => cluster.killMaster(SLOT)],
    ["that is replaced on order", () => cluster.promote(SLOT)],
    [
      "of a slot that moves",
      async () => {
        const from = await cluster.masterOf(SLOT);
        const to = (await cluster.nodes()).find(
          ({ masterId, port }) => masterId === undefined && port !== from,
        );
        await cluster.reshard(SLOT, to?.port ?? 0);
        return to?.port;
      },
    ],
  ])("follow the master %s, with what waits on them", async (_, replace) => {
    const commands = connect();
    const blocking = connect(connectForBlocking);
    await commands.del(KEY);
    const read = blocking.blpop(KEY, 0);
    const port = await replace();
    await vi.waitFor(async () => {
      await commands.rpush(KEY, "1");
      expect(portOf(commands)).toBe(port);
    }, WAIT);
    expect(await read).toEqual([KEY, "1"]);
    expect(portOf(blocking)).toBe(port);
  });
});
