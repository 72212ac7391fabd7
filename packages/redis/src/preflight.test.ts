import { type RedisServerOptions, startRedisServer } from "@quantum/harness";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { connectForCommands, disconnect } from "./connection.ts";
import {
  clocksApart,
  notDurable,
  notReadable,
  readFacts,
  type RedisFacts,
  unusable,
  waitsFor,
} from "./preflight.ts";

const CLOCK_BOUND_MS = 1_000;

async function givenServer(options: RedisServerOptions = {}) {
  const server = await startRedisServer(options);
  const client = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
  onTestFinished(async () => {
    await disconnect(client);
    await server.stop();
  });
  return { server, client };
}

const GOOD: RedisFacts = {
  version: "7.0.15",
  runId: "a",
  role: "master",
  mode: "standalone",
  ledBy: "server",
  aofEnabled: true,
  appendfsync: "always",
  maxmemoryPolicy: "noeviction",
  replicas: 0,
  minReplicasToWrite: "0",
  minReplicasMaxLag: "10",
  clockOffsetMs: 0,
};

describe("the facts of a Redis", () => {
  it("satisfy testnet mode when it forgets nothing", async () => {
    const { client } = await givenServer({ appendonly: true, appendfsync: "always" });
    const facts = await readFacts(client);
    expect(facts).toMatchObject({ role: "master", aofEnabled: true, appendfsync: "always" });
    expect(facts.runId).toMatch(/^[0-9a-f]{40}$/);
    expect(Number.isInteger(facts.clockOffsetMs)).toBe(true);
    expect(unusable(facts)).toEqual([]);
    expect(notDurable(facts)).toEqual([]);
  });

  it("tell everything about one that forgets", async () => {
    const { client } = await givenServer({ config: { "maxmemory-policy": "allkeys-lru" } });
    expect(notDurable(await readFacts(client))).toEqual([
      "appendonly is no: a restart would forget claims and spent permits",
      "appendfsync is everysec: only 'always' never forgets an acknowledged claim",
      "maxmemory-policy is allkeys-lru: only 'noeviction' never drops a claim",
    ]);
  });

  it("have another run id after a restart", async () => {
    const { server, client } = await givenServer();
    const { runId } = await readFacts(client);
    await server.restart();
    await vi.waitFor(async () => expect((await readFacts(client)).runId).not.toBe(runId), 10_000);
  });

  it("tell a replica, which is waited for: a failover may make it a master", async () => {
    const { server } = await givenServer();
    const replica = await givenServer({ config: { replicaof: `127.0.0.1 ${server.port}` } });
    const facts = await readFacts(replica.client);
    expect(unusable(facts)).toEqual([]);
    expect(waitsFor(facts)).toBe("role is slave, must be master");
    await replica.client.replicaof("NO", "ONE");
    expect(waitsFor(await readFacts(replica.client))).toBeUndefined();
  });

  it("tell a master with replicas, which could go on without them", async () => {
    const settings = { "repl-diskless-sync-delay": "0", "min-replicas-max-lag": "60" };
    const { server, client } = await givenServer({
      appendonly: true,
      appendfsync: "always",
      config: settings,
    });
    await givenServer({ config: { replicaof: `127.0.0.1 ${server.port}` } });
    await vi.waitFor(async () => expect((await readFacts(client)).replicas).toBe(1), 10_000);
    expect(notDurable(await readFacts(client))).toEqual([
      "min-replicas-to-write is 0: cut off from its replicas, only a master with at least 1 stops taking claims",
      "min-replicas-max-lag is 60: only with 1 to 10 s does a master that is cut off stop in time",
    ]);
  });

  it("tell a cluster's node, which is not waited for", async () => {
    const { client } = await givenServer({ config: { "cluster-enabled": "yes" } });
    expect(unusable(await readFacts(client))).toEqual([
      "redis_mode is cluster, must be standalone: its URL begins with redis+cluster://",
    ]);
  });

  it("are unknown, not guessed, where the user may not read them", async () => {
    const { client } = await givenServer({ appendonly: true, appendfsync: "always" });
    await client.acl("SETUSER", "default", "-config", "-info");
    const facts = await readFacts(client);
    expect(facts).toMatchObject({
      role: "master",
      mode: "standalone",
      version: expect.stringMatching(/^\d/),
    });
    expect(unusable(facts)).toEqual([]);
    expect(waitsFor(facts)).toBeUndefined();
    expect(notReadable(facts)).toHaveLength(2);
    expect(notDurable(facts)).toEqual([
      "INFO is not offered to this Redis user: whether Redis forgets cannot be told",
      "CONFIG GET is not offered to this Redis user: whether Redis forgets cannot be told",
    ]);
  });

  it("are an error where more than that is refused", async () => {
    const { client } = await givenServer();
    await client.acl("SETUSER", "default", "-time");
    await expect(readFacts(client)).rejects.toThrow("NOPERM");
  });
});

describe("a master with replicas", () => {
  it.each<[string, string, number]>([
    ["1", "10", 0],
    ["2", "1", 0],
    ["0", "10", 1],
    ["1", "0", 1],
    ["1", "11", 1],
    ["0", "0", 2],
    ["much", "", 2],
  ])("min-replicas-to-write %s and min-replicas-max-lag %s: %i violations", (atLeast, lag, violations) => {
    const facts = { ...GOOD, minReplicasToWrite: atLeast, minReplicasMaxLag: lag };
    expect(notDurable({ ...facts, replicas: 1 })).toHaveLength(violations);
    expect(notDurable(facts)).toEqual([]);
  });
});

describe("unusable", () => {
  it.each([
    ["6.2.14", false],
    ["0", false],
    ["", false],
    ["unstable", false],
    ["7.0.0", true],
    ["10.1.0", true],
  ])("judges version %j", (version, usable) => {
    expect(unusable({ ...GOOD, version })).toHaveLength(usable ? 0 : 1);
  });
});

describe("clocksApart", () => {
  it.each([
    [CLOCK_BOUND_MS, 0],
    [-CLOCK_BOUND_MS, 0],
    [CLOCK_BOUND_MS + 1, 1],
    [-CLOCK_BOUND_MS - 1, 1],
    [Number.NaN, 1],
  ])("judges a clock that is %d ms off", (clockOffsetMs, problems) => {
    expect(clocksApart({ ...GOOD, clockOffsetMs }, CLOCK_BOUND_MS)).toHaveLength(problems);
  });
});
