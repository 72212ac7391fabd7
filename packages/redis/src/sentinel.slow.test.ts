import {
  type FaultProxy,
  patienceMs,
  type ReplicatedRedis,
  startFaultProxy,
  startReplicatedRedis,
} from "@quantum/harness";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { RedisClock, redisNow } from "./clock.ts";
import { connectForBlocking, connectForCommands, disconnect, type RedisClient } from "./connection.ts";
import { dispositionOf } from "./disposition.ts";
import { Guides } from "./guides.ts";

const WAIT = { timeout: patienceMs(10_000), interval: 20 };
const CLOCK_MS = patienceMs(500);

let set: ReplicatedRedis;
beforeAll(async () => void (set = await startReplicatedRedis()));
afterAll(() => set.stop());
beforeEach(() => set.heal());
afterEach(() => vi.restoreAllMocks());

const urlOf = (ports: readonly number[] = set.sentinelPorts, name = set.name, credentials = "") =>
  `redis+sentinel://${ports.map((port) => `127.0.0.1:${port}`).join()}/${name}${credentials}`;

function connect(url = urlOf(), make = connectForCommands, told: Error[] = []): RedisClient {
  const client = make({ url, name: "test", onError: (error) => told.push(error) });
  onTestFinished(() => disconnect(client));
  return client;
}

const portOf = ({ stream }: RedisClient) => stream.remotePort;
const errorOf = (sent: Promise<unknown>) =>
  sent.then(
    () => undefined,
    (error: unknown) => error,
  );

/** What a caller learns of a connection that does not come about. */
async function refusalOf(url: string) {
  const client = connect(url);
  const error = await errorOf(client.ping());
  return { ...dispositionOf(client.problem ?? error), message: client.problem?.message };
}

describe("connections by the Sentinels", () => {
  it("lead to the master, in the URL's database", async () => {
    const client = connect(`${urlOf()}/3`);
    await client.set("a", "1");
    expect(portOf(client)).toBe(await set.masterPort());
    expect(await client.client("LIST")).toMatch(/name=test .*db=3 /);
  });

  it.each([
    ["that is killed", () => set.killMaster()],
    ["that is replaced on order", () => set.promote()],
    [
      "that only they no longer reach",
      async () => {
        const port = await set.masterPort();
        await set.isolateMaster();
        return set.untilReplaced(port);
      },
    ],
  ])("follow the master %s, with what waits on them, and Redis's clock", async (_, replace) => {
    const told: Error[] = [];
    const commands = connect(urlOf(), connectForCommands, told);
    const blocking = connect(urlOf(), connectForBlocking, told);
    const clock = new RedisClock(commands);
    await clock.start();
    onTestFinished(() => clock.stop());
    await blocking.xgroup("CREATE", "stream", "group", "$", "MKSTREAM").catch(() => undefined);
    const read = blocking.xreadgroup("GROUP", "group", "me", "BLOCK", 0, "STREAMS", "stream", ">");
    await commands.wait(2, 1_000);

    const port = await replace();
    const errors: unknown[] = [];
    await vi.waitFor(async () => {
      errors.push(await errorOf(commands.ping()));
      expect([portOf(commands), portOf(blocking)]).toEqual([port, port]);
    }, WAIT);
    await commands.xadd("stream", "*", "a", "1");
    expect(await read).toMatchObject([["stream", [[expect.any(String), ["a", "1"]]]]]);
    const thatStay = [...errors, ...told].filter(
      (error) => error !== undefined && dispositionOf(error).kind !== "passes",
    );
    expect(thatStay).toEqual([]);
    await vi.waitFor(() => expect(Math.abs(redisNow(commands) - Date.now())).toBeLessThan(CLOCK_MS), WAIT);
  });

  it("never use a server that is no master, whatever the Sentinels say", async () => {
    const master = await set.masterPort();
    const replica = await replicaPort(master);
    const address = { host: "127.0.0.1", port: replica };
    vi.spyOn(Guides.prototype, "ask").mockResolvedValue([{ from: 0, to: 16_383, address, epoch: 9 }]);
    const client = connect();
    expect(await errorOf(client.get("a"))).toBeInstanceOf(Error);
    expect(client.problem?.message).toBe(`127.0.0.1:${replica} is no master: its role is slave`);
    expect(dispositionOf(client.problem)).toMatchObject({ kind: "passes" });
    vi.restoreAllMocks();
    await vi.waitFor(async () => expect(await client.ping()).toBe("PONG"), WAIT);
    expect(portOf(client)).toBe(master);
  });
});

describe("Sentinels", () => {
  async function givenProxies(): Promise<FaultProxy[]> {
    const proxies = await Promise.all(
      set.sentinelPorts.map((port) => startFaultProxy({ upstream: { port } })),
    );
    onTestFinished(async () => void (await Promise.all(proxies.map((proxy) => proxy.close()))));
    return proxies;
  }

  it.each(["cutOff", "stall"] as const)(
    "that are all away (%s) take nothing from a connection, and are waited for by a new one",
    async (fault) => {
      const proxies = await givenProxies();
      const url = urlOf(proxies.map(({ port }) => port));
      const old = connect(url);
      await old.ping();
      for (const proxy of proxies) proxy[fault]();
      const client = connect(url);
      const blocking = connect(url, connectForBlocking);
      const answer = blocking.ping();
      expect(dispositionOf(await errorOf(client.ping()))).toMatchObject({ kind: "passes" });
      await vi.waitFor(() => expect(client.problem?.message).toContain("no Sentinel says where"), WAIT);
      expect(dispositionOf(client.problem)).toMatchObject({ kind: "passes" });
      expect([await old.ping(), old.problem]).toEqual(["PONG", undefined]);
      for (const proxy of proxies) proxy.heal();
      await vi.waitFor(async () => expect(await client.ping()).toBe("PONG"), WAIT);
      expect([await answer, client.problem]).toEqual(["PONG", undefined]);
    },
  );

  it("of which some are away do not hold a connection up", async () => {
    const [first, ...others] = await givenProxies();
    first?.stall();
    others[0]?.refuse();
    const client = connect(urlOf([first, ...others].map((proxy) => proxy?.port ?? 0)));
    expect(await client.ping()).toBe("PONG");
    expect(portOf(client)).toBe(await set.masterPort());
  });

  it("that know no such master refuse, and name it", async () => {
    expect(await refusalOf(urlOf(set.sentinelPorts, "quantm"))).toEqual({
      kind: "refused",
      concerns: "address",
      advice: expect.any(String),
      message: expect.stringContaining("knows no master named quantm"),
    });
  });

  it("that are servers of data are told from Sentinels, and the other way round", async () => {
    const master = await set.masterPort();
    expect(await refusalOf(urlOf([master]))).toMatchObject({
      kind: "refused",
      concerns: "address",
      message: expect.stringContaining(`127.0.0.1:${master}: is no Sentinel`),
    });
    // A wrong one among right ones does no harm.
    expect(await connect(urlOf([master, ...set.sentinelPorts])).ping()).toBe("PONG");
    expect(await refusalOf(`redis+cluster://127.0.0.1:${set.sentinelPorts[0]}`)).toMatchObject({
      kind: "refused",
      concerns: "address",
      message: expect.stringContaining("is no node of a cluster"),
    });
  });

  it("know users of their own", async () => {
    for (const port of set.sentinelPorts) {
      const sentinel = connect(`redis://127.0.0.1:${port}`);
      await sentinel.acl(
        "SETUSER",
        "guard",
        "on",
        ">secret",
        "+sentinel|master",
        "+sentinel|get-master-addr-by-name",
      );
      await sentinel.acl("SETUSER", "default", "-sentinel|master");
      onTestFinished(async () => void (await sentinel.acl("SETUSER", "default", "+@all")));
    }
    const as = (user: string, password: string) =>
      urlOf(set.sentinelPorts, set.name, `?sentinel_user=${user}&sentinel_password=${password}`);
    expect(await connect(as("guard", "secret")).ping()).toBe("PONG");
    expect(await refusalOf(urlOf())).toMatchObject({ kind: "refused", concerns: "rights" });
    expect(await refusalOf(as("guard", "wrong"))).toMatchObject({
      kind: "refused",
      concerns: "credentials",
      message: expect.stringContaining("WRONGPASS"),
    });
  });
});

async function replicaPort(master: number): Promise<number> {
  const flat = (await connect(`redis://127.0.0.1:${master}`).role()) as [string, number, string[][]];
  return Number(flat[2][0]?.[1]);
}
