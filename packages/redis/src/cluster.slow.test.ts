import { once } from "node:events";
import { type AddressInfo, createConnection, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { slotOf } from "@quantum/contract";
import { patienceMs, type RedisCluster, startRedisCluster, startRedisServer } from "@quantum/harness";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { connectForBlocking, connectForCommands, disconnect, type RedisClient } from "./connection.ts";
import { dispositionOf } from "./disposition.ts";
import { Guides } from "./guides.ts";
import { readFacts, unusable } from "./preflight.ts";

const WAIT = { timeout: patienceMs(10_000), interval: 20 };
const KEY = "{q3}:list";
const SLOT = slotOf(KEY);

let cluster: RedisCluster;
beforeAll(async () => void (cluster = await startRedisCluster({ masters: 3, replicas: 1 })));
afterAll(() => cluster.stop());
beforeEach(() => cluster.heal());
afterEach(() => vi.restoreAllMocks());

const urlOf = (ports = cluster.ports) => `redis+cluster://${ports.map((port) => `127.0.0.1:${port}`).join()}`;

function connect(make = connectForCommands, slotOf: string | undefined = KEY, url = urlOf()): RedisClient {
  const client = make({ url, slotOf, name: "test", onError: () => undefined });
  onTestFinished(() => disconnect(client));
  return client;
}

const portOf = ({ stream }: RedisClient) => stream.remotePort;
const errorOf = (sent: Promise<unknown>) =>
  sent.then(
    () => undefined,
    (error: unknown) => error,
  );

/** A master that does not have the slot. */
async function otherMaster(): Promise<number> {
  const from = await cluster.masterOf(SLOT);
  const other = (await cluster.nodes()).find(({ masterId, port }) => masterId === undefined && port !== from);
  return other?.port ?? 0;
}

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
    ["of a slot that moves", moveSlot],
  ])("follow the master %s, with what waits on them", async (_, replace) => {
    const commands = connect();
    const blocking = connect(connectForBlocking);
    await commands.del(KEY);
    const read = blocking.blpop(KEY, 0);
    const errors: unknown[] = [];
    const replacing = new AbortController();
    const replaced = replace().finally(() => replacing.abort());
    while (!replacing.signal.aborted) errors.push(await errorOf(commands.llen(KEY)));
    const port = await replaced;
    await vi.waitFor(async () => {
      errors.push(await errorOf(commands.llen(KEY)));
      expect([portOf(commands), portOf(blocking)]).toEqual([port, port]);
    }, WAIT);
    await commands.rpush(KEY, "1");
    expect(await read).toEqual([KEY, "1"]);
    const thatStay = errors.filter((error) => error !== undefined && dispositionOf(error).kind !== "passes");
    expect(thatStay).toEqual([]);
  });

  it.each([
    ["is sent again to the master that has it now, and run once", {}, [1], "1"],
    ["is not sent again, but fails, where it must not be", { resend: false }, "MOVED", null],
  ] as const)("a script for a slot that has moved %s", async (_, how, told, count) => {
    const client = connectForCommands({
      url: urlOf(),
      slotOf: KEY,
      name: "test",
      onError: () => undefined,
      ...how,
    });
    onTestFinished(() => disconnect(client));
    await client.del("{q3}:count");
    // Nothing but the refusal moves the connection.
    const ask = vi.spyOn(Guides.prototype, "ask").mockRejectedValue(new Error("silent"));
    client.once("close", () => ask.mockRestore());
    const port = await moveSlot();
    const reply = vi.spyOn(client, "handleReconnection");
    const counted = client.eval("return {redis.call('INCR', KEYS[1])}", 1, "{q3}:count");
    expect(await counted.catch(({ message }: Error) => message.split(" ")[0])).toEqual(told);
    expect(reply.mock.calls.filter(([{ message }]) => message.startsWith("MOVED"))).toHaveLength(1);
    await vi.waitFor(async () => expect(await client.get("{q3}:count")).toBe(count), WAIT);
    expect(portOf(client)).toBe(port);
  });
});

async function moveSlot(): Promise<number> {
  const to = await otherMaster();
  await cluster.reshard(SLOT, to);
  return to;
}

describe("what a cluster's node answers", () => {
  it("while it gives a slot away passes", async () => {
    const client = connect();
    await client.set("{q3}:here", "1");
    const errors: unknown[] = [];
    await cluster.reshard(SLOT, await otherMaster(), async () => {
      errors.push(
        await errorOf(client.get("{q3}:gone")),
        await errorOf(client.mget("{q3}:here", "{q3}:gone")),
      );
    });
    expect(errors.map((error) => String(error).split(" ")[1])).toEqual(["ASK", "TRYAGAIN"]);
    expect(errors.map(dispositionOf)).toMatchObject([{ kind: "passes" }, { kind: "passes" }]);
  });

  it("to a plain URL names the URL that is needed", async () => {
    const plain = connect(connectForCommands, KEY, `redis://127.0.0.1:${await otherMaster()}`);
    const disposition = dispositionOf(await errorOf(plain.get(KEY)));
    expect(disposition).toEqual({
      kind: "refused",
      concerns: "server",
      advice: expect.stringContaining("redis+cluster://"),
    });
    expect(unusable(await readFacts(plain))).toEqual([expect.stringContaining("redis+cluster://")]);
  });

  it("to keys of two slots is a defect that stays", async () => {
    const error = await errorOf(connect().mget("{q3}", "{q4}"));
    expect(String(error)).toContain("CROSSSLOT");
    expect(dispositionOf(error)).toMatchObject({ kind: "refused", concerns: "server" });
  });
});

describe("a cluster's URL", () => {
  it("may have nodes that are away", async () => {
    const url = `redis+cluster://127.0.0.1:1,127.0.0.1:${cluster.ports[0]}`;
    expect(await connect(connectForCommands, KEY, url).ping()).toBe("PONG");
  });

  it.skipIf(networkInterfaces()["lo"]?.every(({ family }) => family !== "IPv6"))(
    "may have addresses of IPv6",
    async () => {
      const relay = createServer((socket) => {
        const node = createConnection(cluster.ports[0] ?? 0, "127.0.0.1");
        socket.pipe(node).pipe(socket);
      });
      await once(relay.listen(0, "::1"), "listening");
      onTestFinished(() => void relay.close());
      const url = `redis+cluster://[::1]:${(relay.address() as AddressInfo).port}`;
      expect(await connect(connectForCommands, KEY, url).ping()).toBe("PONG");
    },
  );

  it("that leads to a lone server is refused", async () => {
    const lone = await startRedisServer();
    onTestFinished(() => lone.stop());
    const client = connect(connectForCommands, KEY, `redis+cluster://127.0.0.1:${lone.port}`);
    await errorOf(client.ping());
    expect(client.problem?.message).toContain(`127.0.0.1:${lone.port}: is no node of a cluster`);
    expect(dispositionOf(client.problem)).toMatchObject({ kind: "refused", concerns: "address" });
  });

  it("in which nobody may ask for slots is refused", async () => {
    for (const port of cluster.ports) {
      const node = connect(connectForCommands, undefined, `redis://127.0.0.1:${port}`);
      await node.acl("SETUSER", "default", "-cluster|slots");
      onTestFinished(async () => void (await node.acl("SETUSER", "default", "+@all")));
    }
    const client = connect();
    await errorOf(client.ping());
    expect(dispositionOf(client.problem)).toMatchObject({ kind: "refused", concerns: "rights" });
  });
});
