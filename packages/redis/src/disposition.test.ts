import { createServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { type RedisServerOptions, startRedisServer } from "@quantum/harness";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { connectForCommands, disconnect, type RedisClient } from "./connection.ts";
import { dispositionOf, isNotOffered, markFollowed, mayRunElsewhere } from "./disposition.ts";
import { NoMasterError } from "./masters.ts";

async function givenServer(config: Record<string, string> = {}, options: RedisServerOptions = {}) {
  const server = await startRedisServer({ ...options, config });
  onTestFinished(() => server.stop());
  return server;
}

function connect(url: string): RedisClient {
  const client = connectForCommands({ url, name: "test", onError: () => undefined });
  onTestFinished(() => disconnect(client));
  return client;
}

/** Of the first command, or of the connection that it could not be sent on. */
async function dispositionAt(
  url: string,
  command = (client: RedisClient): Promise<unknown> => client.time(),
) {
  const client = connect(url);
  const error = await command(client).then(
    () => undefined,
    (reason: unknown) => client.problem ?? reason,
  );
  return dispositionOf(error);
}

/** Whatever is said to it, it answers this. */
async function givenListener(answer: string): Promise<number> {
  const server = createTcpServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as { port: number }).port;
}

describe("a refusal that stays", () => {
  it.each([16, 20, 1_000])("is a database %d that the server lacks", async (db) => {
    const { url } = await givenServer();
    expect(await dispositionAt(`${url}/${db}`)).toMatchObject({ kind: "refused", concerns: "database" });
  });

  it("is a password that is missing, wrong, or of a user that is off", async () => {
    const { port } = await givenServer({ requirepass: "right" });
    const missing = await dispositionAt(`redis://127.0.0.1:${port}/3`);
    const wrong = await dispositionAt(`redis://:wrong@127.0.0.1:${port}`);
    const unknown = await dispositionAt(`redis://nobody:right@127.0.0.1:${port}`);
    for (const found of [missing, wrong, unknown])
      expect(found).toMatchObject({ kind: "refused", concerns: "credentials" });
  });

  it("is a right that is missing", async () => {
    const { url } = await givenServer();
    await connect(url).acl("SETUSER", "default", "-time");
    expect(await dispositionAt(url)).toMatchObject({ kind: "refused", concerns: "rights" });
  });

  it("is a right that is missing to a script's command", async () => {
    const { url } = await givenServer();
    const client = connect(url);
    await client.acl("SETUSER", "default", "-get");
    const error: unknown = await client
      .eval("return redis.call('GET', 'k')", 0)
      .catch((thrown: unknown) => thrown);
    expect(dispositionOf(error)).toMatchObject({ kind: "refused", concerns: "rights" });
  });

  it("is a cluster's node, whichever way it says so", async () => {
    const { url } = await givenServer({ "cluster-enabled": "yes" });
    expect(await dispositionAt(`${url}/1`)).toMatchObject({ kind: "refused", concerns: "server" });
    const moved = new Error("MOVED 3999 127.0.0.1:6381");
    expect(dispositionOf(moved)).toMatchObject({ kind: "refused", concerns: "server" });
  });

  it("is a server of another protocol, with TLS and without", async () => {
    const http = createServer((_, response) => response.end());
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void http.close());
    const { port } = http.address() as { port: number };
    const ssh = await givenListener("SSH-2.0-OpenSSH_9.2\r\n");
    const urls = [port, ssh].flatMap((at) => [`redis://127.0.0.1:${at}`, `rediss://127.0.0.1:${at}`]);
    for (const url of urls)
      expect({ url, ...(await dispositionAt(url)) }).toMatchObject({ kind: "refused", concerns: "address" });
  });
});

describe("a state that passes", () => {
  it("is silence: nobody there, or nobody who answers", async () => {
    expect(await dispositionAt("redis://127.0.0.1:1")).toMatchObject({ kind: "passes" });
    const { url } = await givenServer({ maxclients: "1" });
    const first = connect(url);
    await first.ping();
    expect(await dispositionAt(url)).toMatchObject({ kind: "passes" });
  });

  it("is a replica's, with its master and without", async () => {
    const master = await givenServer({ "repl-diskless-sync-delay": "0" });
    const replica = await givenServer({
      replicaof: `127.0.0.1 ${master.port}`,
      "replica-serve-stale-data": "no",
    });
    const write = (client: RedisClient) => client.set("a", "1");
    await vi.waitFor(
      async () => expect(await connect(replica.url).info()).toContain("link_status:up"),
      5_000,
    );
    expect(await dispositionAt(replica.url, write)).toEqual({
      kind: "passes",
      meaning: expect.stringContaining("replica"),
    });
    await master.kill();
    const read = (client: RedisClient) => client.get("a");
    await vi.waitFor(
      async () =>
        expect(await dispositionAt(replica.url, read)).toEqual({
          kind: "passes",
          meaning: expect.stringContaining("lost its master"),
        }),
      5_000,
    );
  });

  it("is a memory that is full, and replicas that are too few", async () => {
    const write = (client: RedisClient) => client.set("a", "1");
    const full = await givenServer({ maxmemory: "1" });
    expect(await dispositionAt(full.url, write)).toMatchObject({ kind: "passes" });
    const alone = await givenServer({ "min-replicas-to-write": "1" });
    expect(await dispositionAt(alone.url, write)).toMatchObject({ kind: "passes" });
  });

  it("is a script that runs for long", async () => {
    const server = await givenServer({ "busy-reply-threshold": "10" });
    const { url } = server;
    const busy = connect(url);
    busy.eval("while true do end", 0).catch(() => undefined);
    const other = connect(url);
    await vi.waitFor(async () => {
      const error = await other.get("a").then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(dispositionOf(error)).toEqual({ kind: "passes", meaning: expect.stringContaining("script") });
    }, 5_000);
    await server.kill();
  });

  it.each([
    "LOADING Redis is loading the dataset in memory",
    "CLUSTERDOWN Hash slot not served",
    "TRYAGAIN x",
  ])("is %s", (message) => expect(dispositionOf(new Error(message))).toMatchObject({ kind: "passes" }));
});

/** What failovers and slots that move make servers answer. */
describe("a reply of a server that is not, or not yet, the one to ask", () => {
  const passing = [true, true, true, "passes"] as const;
  const waiting = [false, false, false, "passes"] as const;
  it.each<[reply: string, server: boolean, sentinel: boolean, cluster: boolean, kind: string]>([
    ["READONLY You can't write against a read only replica.", ...passing],
    [
      "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
      ...passing,
    ],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", ...waiting],
    ["LOADING Redis is loading the dataset in memory", ...waiting],
    ["CLUSTERDOWN The cluster is down", ...waiting],
    ["TRYAGAIN Multiple keys request during rehashing of slot", ...waiting],
    ["NOREPLICAS Not enough good replicas to write.", ...waiting],
    ["MOVED 3999 127.0.0.1:6381", false, false, true, "refused"],
    ["ASK 3999 127.0.0.1:6381", false, false, false, "refused"],
    ["CROSSSLOT Keys in request don't hash to the same slot", false, false, false, "refused"],
  ])("%s", (reply, server, sentinel, cluster, kind) => {
    const error = new Error(reply);
    const elsewhere = (["server", "sentinel", "cluster"] as const).map((ledBy) =>
      mayRunElsewhere(error, ledBy),
    );
    expect([...elsewhere, dispositionOf(error).kind]).toEqual([server, sentinel, cluster, kind]);
  });

  it.each([
    ["MOVED 3999 127.0.0.1:6381", "passes"],
    ["ASK 3999 127.0.0.1:6381", "passes"],
    ["CROSSSLOT Keys in request don't hash to the same slot", "refused"],
    ["WRONGTYPE Operation against a key holding the wrong kind of value", "command"],
  ])("to a connection that follows a cluster's masters: %s", (reply, kind) => {
    const error = Object.assign(new Error(reply), { name: "ReplyError" });
    markFollowed(error);
    expect(dispositionOf(error).kind).toBe(kind);
  });
});

it.each([
  "10.0.0.1:6379 is no master: its role is slave",
  "10.0.0.1:6379 is no longer the master: 10.0.0.2:6379 is",
  "10.0.0.1:6379 is no longer the master of slot 7: 10.0.0.2:6379 is",
])("a connection that moves on passes: %s", (message) => {
  expect(dispositionOf(new Error(message))).toEqual({
    kind: "passes",
    meaning: "another server is or becomes master",
  });
});

describe("nobody who says where the master is", () => {
  const wrongName = new Error("knows no master named quantm");
  const silent = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" });
  it.each<[Error[], object]>([
    [[wrongName, wrongName], { kind: "refused", concerns: "address" }],
    [[new Error("WRONGPASS invalid")], { kind: "refused", concerns: "credentials" }],
    [[wrongName, silent], { kind: "passes" }],
    [[silent, wrongName], { kind: "passes" }],
    [[], { kind: "passes" }],
  ])("is refused only if all of them refuse", (causes, disposition) => {
    expect(dispositionOf(new NoMasterError("no Sentinel says where", causes))).toMatchObject(disposition);
  });
});

describe("an error of one command", () => {
  it("says nothing about the server", async () => {
    const { url } = await givenServer();
    const client = connect(url);
    await client.set("a", "1");
    const errors = await Promise.all(
      [
        client.lpush("a", "1"),
        client.incrby("a", Number.MAX_SAFE_INTEGER).then(() => client.incrby("a", 1e300)),
        client.xgroup("CREATE", "none", "group", "0"),
        client.eval("return redis.call('LPUSH', KEYS[1], '1')", 1, "a"),
      ].map((sent: Promise<unknown>) => sent.catch((error: unknown) => error)),
    );
    for (const error of errors)
      expect({ error: String(error), ...dispositionOf(error) }).toMatchObject({ kind: "command" });
    expect(dispositionOf("no error")).toEqual({ kind: "command" });
  });
});

it("a command that is forbidden or renamed is told from one that fails", async () => {
  const { url } = await givenServer();
  const client = connect(url);
  const error = (sent: Promise<unknown>) => sent.catch((reason: unknown) => reason);
  expect(isNotOffered(await error(client.call("CONFIG_RENAMED", "GET", "appendfsync")))).toBe(true);
  await client.acl("SETUSER", "default", "-info");
  expect(isNotOffered(await error(client.info()))).toBe(true);
  expect(isNotOffered(await error(client.eval("return 1", 1)))).toBe(false);
});
