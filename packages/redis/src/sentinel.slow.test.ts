import { patienceMs, type ReplicatedRedis, startReplicatedRedis } from "@quantum/harness";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { RedisClock, redisNow } from "./clock.ts";
import { connectForBlocking, connectForCommands, disconnect, type RedisClient } from "./connection.ts";

const WAIT = { timeout: patienceMs(10_000), interval: 20 };

let set: ReplicatedRedis;
beforeAll(async () => void (set = await startReplicatedRedis()));
afterAll(() => set.stop());
beforeEach(() => set.heal());

const urlOf = (ports = set.sentinelPorts, name = set.name) =>
  `redis+sentinel://${ports.map((port) => `127.0.0.1:${port}`).join()}/${name}`;

function connect(make = connectForCommands, url = urlOf(), told: string[] = []): RedisClient {
  const client = make({ url, name: "test", onError: ({ message }) => told.push(message) });
  onTestFinished(() => disconnect(client));
  return client;
}

const portOf = ({ stream }: RedisClient) => stream.remotePort;

describe("connections by the Sentinels", () => {
  it("lead to the master, in the URL's database", async () => {
    const client = connect(connectForCommands, `${urlOf()}/3`);
    await client.set("a", "1");
    expect(portOf(client)).toBe(await set.masterPort());
    expect(await client.client("LIST")).toMatch(/name=test .*db=3 /);
  });

  it.each([
    ["that is killed", () => set.killMaster()],
    ["that is replaced on order", () => set.promote()],
  ])("follow the master %s, with what waits on them", async (_, replace) => {
    const commands = connect();
    const blocking = connect(connectForBlocking);
    const clock = new RedisClock(commands);
    await clock.start();
    onTestFinished(() => clock.stop());
    await blocking.xgroup("CREATE", "stream", "group", "$", "MKSTREAM").catch(() => undefined);
    const read = blocking.xreadgroup("GROUP", "group", "me", "BLOCK", 0, "STREAMS", "stream", ">");
    await commands.wait(2, 1_000);
    const port = await replace();
    await vi.waitFor(async () => {
      await commands.xadd("stream", "*", "a", "1");
      expect(portOf(commands)).toBe(port);
    }, WAIT);
    expect(await read).toMatchObject([["stream", [[expect.any(String), ["a", "1"]]]]]);
    expect(portOf(blocking)).toBe(port);
    expect(Math.abs(redisNow(commands) - Date.now())).toBeLessThan(patienceMs(500));
  });
});
