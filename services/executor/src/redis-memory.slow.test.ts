/** What shows that Redis may have forgotten, on real servers: failovers, restarts, and what only looks like one. */
import { eventually, startFaultProxy, startRedisServer, startReplicatedRedis } from "@quantum/harness";
import { createKeys } from "@quantum/contract";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { describe, expect, it, onTestFinished } from "vitest";
import { createEvents } from "./events.ts";
import { RedisMemory } from "./redis-memory.ts";

const WITHIN_MS = 30_000;
const keys = createKeys();

function connect(port: number): RedisClient {
  const url = `redis://127.0.0.1:${port}`;
  const client = connectForCommands({ url, name: "test", onError: () => undefined });
  onTestFinished(() => disconnect(client));
  return client;
}
const runIdOf = async (redis: RedisClient) => /run_id:(\w+)/.exec(await redis.info("server"))?.[1];
const nowMs = async (redis: RedisClient) => Number((await redis.time())[0]) * 1000;
/** Once Redis takes writes again. */
const announced = (memory: RedisMemory) =>
  eventually(
    () =>
      memory.announce("BTCUSDT").then(
        () => true,
        () => undefined,
      ),
    WITHIN_MS,
    "a master that answers",
  );
const suspects = (memory: RedisMemory, proposedMs: number) =>
  memory.mayHaveForgotten({ opened_at_ms: proposedMs + 60_000, proposed_ms: proposedMs });

it("a master that was replaced and is master again may have forgotten, though no executor was there in between", async () => {
  const set = await startReplicatedRedis({ replicas: 1 });
  onTestFinished(() => set.stop());
  const port = await set.masterPort();
  const redis = connect(port);
  const memory = new RedisMemory(redis, keys, createEvents());
  await announced(memory);
  const runId = await runIdOf(redis);
  const proposedMs = (await nowMs(redis)) + 1_000;
  expect(suspects(memory, proposedMs)).toBe(false);

  expect(await set.promote()).not.toBe(port);
  await set.heal();
  expect(await set.promote()).toBe(port);
  await announced(memory);
  expect(await runIdOf(redis)).toBe(runId);
  expect(suspects(memory, proposedMs)).toBe(true);

  // Nor does one that starts now take it for the one of before.
  const later = new RedisMemory(connect(port), keys, createEvents());
  await announced(later);
  expect(suspects(later, proposedMs)).toBe(true);
});

it.each([
  ["its log", { appendonly: true, appendfsync: "always" as const }],
  ["its snapshot", { config: { save: "1 1" } }],
])("a master that starts again from %s may have forgotten what was not in it yet", async (_, options) => {
  const server = await startRedisServer(options);
  onTestFinished(() => server.stop());
  const redis = connect(server.port);
  const memory = new RedisMemory(redis, keys, createEvents());
  await announced(memory);
  await redis.set("quantum:test", "kept");
  await redis.save();
  const proposedMs = (await nowMs(redis)) + 1_000;
  expect(suspects(memory, proposedMs)).toBe(false);
  await server.kill();
  await server.restart();
  const later = new RedisMemory(connect(server.port), keys, createEvents());
  await announced(later);
  // So it is not the key that shows it.
  expect(await redis.get("quantum:test")).toBe("kept");
  for (const one of [memory, later]) {
    await announced(one);
    expect(suspects(one, proposedMs)).toBe(true);
  }
});

describe("while the master is replaced under a connection that stays, the server of before", () => {
  /** One that was master until now still answers what it may, refuses writes, and has all that the new one has. */
  async function replaced() {
    const [old, next] = await Promise.all([startRedisServer(), startRedisServer()]);
    const proxy = await startFaultProxy({ upstream: { port: old.port } });
    onTestFinished(async () => {
      await Promise.all([proxy.close(), old.stop(), next.stop()]);
    });
    const redis = connect(proxy.port);
    const memory = new RedisMemory(redis, keys, createEvents());
    await memory.announce("BTCUSDT");
    const proposedMs = await nowMs(redis);
    const follow = async (replica: RedisClient, masterPort: number) => {
      await replica.replicaof("127.0.0.1", masterPort);
      const follows = async () =>
        (await replica.info("replication")).includes("master_link_status:up") || undefined;
      await eventually(follows, WITHIN_MS, "a replica that follows");
    };
    const direct = { old: connect(old.port), next: connect(next.port) };
    await follow(direct.next, old.port);
    return {
      redis,
      memory,
      proposedMs,
      replace: async () => {
        await direct.next.replicaof("NO", "ONE");
        await follow(direct.old, next.port);
        redis.once("close", () => proxy.lead(next.port));
      },
    };
  }

  it("does not vouch for the next one, though it has answered a part of the question", async () => {
    const { memory, proposedMs, replace } = await replaced();
    await replace();
    await memory.announce("BTCUSDT");
    expect(suspects(memory, proposedMs)).toBe(true);
  });

  it("does not vouch for the one that takes the claim", async () => {
    const { redis, memory, proposedMs, replace } = await replaced();
    await memory.announce("BTCUSDT");
    await replace();
    await redis.set("quantum:test", "claimed");
    const plan = { opened_at_ms: proposedMs, proposed_ms: proposedMs };
    expect(await memory.mayHaveForgottenBefore(plan)).toBe(true);
  });
});
