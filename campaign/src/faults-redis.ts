/** Faults of Redis and of the connections to it. */
import { readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { groupsOf } from "@quantum/streams";
import { untilAnswered } from "./answered.ts";
import { anyMember } from "./faults-process.ts";
import { proxyOf } from "./system.ts";
import type { FaultKind, FaultContext } from "./fault-kind.ts";
import type { Place } from "@quantum/service-kit";
import { type StreamName, type StreamRef, streamRef, type TestRedis } from "@quantum/harness";

const DOWN_MS = { low: 100, high: 3_000 } as const;
const STOP_MS = 3_000;
const HELD_MS = 3_000;
/** `everysec` may lose a second. */
const POWER_LOSS_MS = { low: 100, high: 1_000 } as const;
const SLOW_MS = 40;
/** No server listens on this port. */
const DEAD_PORT = "1";
const TINY_MEMORY = "1mb";
const LOOK_MS = 5;
/** How often the log's size is recorded. */
const LOG_LOOK_MS = 50;

export const REDIS_FAULTS: Readonly<Record<string, FaultKind>> = {
  "redis-kill": {
    meaning: "Redis is killed with appendfsync always, and restarted on its log: nothing is lost",
    weight: 2,
    on: ["lone"],
    run: async ({ system, random }) => {
      const redis = loneServer(system);
      await system.client.config("SET", "appendfsync", "always");
      await delay(random.between(DOWN_MS.low, DOWN_MS.high));
      await redis.kill();
      await delay(random.between(DOWN_MS.low, DOWN_MS.high));
      await redis.restart();
      return [{ kind: "redis-kill", target: "redis" }];
    },
  },
  "redis-power-loss": {
    meaning: "Redis dies with appendfsync everysec and comes back without the last moments of its log",
    weight: 2,
    on: ["lone"],
    run: async (context) => {
      const lostMs = await losePower(context);
      return [{ kind: "redis-power-loss", target: `${lostMs} ms of the log` }];
    },
  },
  "redis-stop": {
    meaning: `SIGSTOP of Redis for ${STOP_MS / 1000} s`,
    weight: 2,
    on: ["lone"],
    run: async ({ system }) => {
      const redis = loneServer(system);
      redis.pause();
      await delay(STOP_MS);
      redis.resume();
      return [{ kind: "redis-stop", target: "redis" }];
    },
  },
  "script-flush": {
    meaning: "SCRIPT FLUSH",
    weight: 2,
    run: async ({ system }) => {
      await system.client.script("FLUSH");
      return [{ kind: "script-flush", target: "redis" }];
    },
  },
  "group-destroy": {
    meaning: "XGROUP DESTROY of one consumer group",
    weight: 2,
    run: async ({ system, random }) => {
      const { client, keys } = system;
      const stream = random.pick(["proposal", "plan", "permit", "execute", "result"] as const);
      const { name: group } = random.pick(await groupsOf(client, keys.streams[stream]));
      await client.xgroup("DESTROY", keys.streams[stream], group);
      return [{ kind: "group-destroy", target: `${group} of ${stream}` }];
    },
  },
  "keyspace-loss": {
    meaning: "FLUSHALL: every key, stream and group is lost, and the latest proposals are published again",
    weight: 1,
    run: async (context) => {
      await loseKeyspace(context);
      return [{ kind: "keyspace-loss", target: "redis" }];
    },
  },
  "read-only": {
    meaning: `Redis is a read-only replica for ${HELD_MS / 1000} s`,
    weight: 1,
    on: ["lone"],
    run: async ({ system }) => {
      await system.client.call("REPLICAOF", "127.0.0.1", DEAD_PORT);
      await delay(HELD_MS);
      await system.client.call("REPLICAOF", "NO", "ONE");
      return [{ kind: "read-only", target: "redis" }];
    },
  },
  "out-of-memory": {
    meaning: `maxmemory is reached for ${HELD_MS / 1000} s, with noeviction`,
    weight: 1,
    run: async ({ system }) => {
      await system.client.config("SET", "maxmemory", TINY_MEMORY);
      await delay(HELD_MS);
      await system.client.config("SET", "maxmemory", "0");
      return [{ kind: "out-of-memory", target: "redis" }];
    },
  },
  reset: {
    meaning: "every connection of one service to Redis is reset",
    weight: 4,
    run: async (context) => {
      const member = anyMember(context);
      proxyOf(member).reset();
      return [{ kind: "reset", target: member.name }];
    },
  },
  "reset-in-reply": {
    meaning: "every connection of one service to Redis is reset in the middle of a reply",
    weight: 4,
    run: async (context) => {
      const member = anyMember(context);
      proxyOf(member).resetInReply();
      return [{ kind: "reset-in-reply", target: member.name }];
    },
  },
  "half-open": {
    meaning: "every connection of one service to Redis accepts data and never answers",
    weight: 2,
    run: async (context) => {
      const member = anyMember(context);
      proxyOf(member).halfOpen();
      return [{ kind: "half-open", target: member.name }];
    },
  },
  partition: {
    meaning: `one service cannot reach Redis for ${HELD_MS / 1000} s`,
    weight: 2,
    run: async (context) => {
      const member = anyMember(context);
      proxyOf(member).cutOff();
      await delay(HELD_MS);
      proxyOf(member).heal();
      return [{ kind: "partition", target: member.name }];
    },
  },
  "slow-redis": {
    meaning: `the network between Redis and one service is ${SLOW_MS} ms slower, each way, for ${HELD_MS / 1000} s`,
    weight: 1,
    run: async (context) => {
      const member = anyMember(context);
      proxyOf(member).delay(SLOW_MS);
      await delay(HELD_MS);
      proxyOf(member).heal();
      return [{ kind: "slow-redis", target: member.name }];
    },
  },
};

/** Stops all traffic between services and Redis, and waits until this process has read every stream entry. */
export async function standStill({ system, proposer, tail }: FaultContext): Promise<void> {
  for (const { redisProxy } of system.members) redisProxy?.stall();
  await proposer.pause();
  while (!(await untilAnswered(() => tail.caughtUp()))) await delay(LOOK_MS);
}

function loneServer({ servers }: FaultContext["system"]): TestRedis {
  if (servers.lone === undefined) throw new Error("this fault needs a Redis without replicas");
  return servers.lone;
}

async function losePower(context: FaultContext): Promise<number> {
  const { system, random, history, tail, losses, proposer } = context;
  const redis = loneServer(system);
  const lostMs = random.between(POWER_LOSS_MS.low, POWER_LOSS_MS.high);
  const logs: { path: string; bytes: number; atMs: number }[] = [];
  for (let watchedMs = 0; watchedMs <= POWER_LOSS_MS.high; watchedMs += LOG_LOOK_MS) {
    logs.push({ ...(await logOf(redis.dir)), atMs: performance.now() });
    await delay(LOG_LOOK_MS);
  }
  await standStill(context);
  const seen = new Map(history.lastIds);
  await redis.kill();
  const diedAtMs = performance.now();
  const kept = logs.findLast(({ atMs }) => atMs <= diedAtMs - lostMs) ?? logs[0];
  if (kept !== undefined) await truncate(kept.path, kept.bytes);
  await redis.restart();
  const survived = await lastIds(context);
  losses.add({ seen, survived }, history);
  tail.rewind(survived);
  proposer.forget();
  for (const { redisProxy } of system.members) {
    redisProxy?.reset();
    redisProxy?.heal();
  }
  proposer.resume();
  return lostMs;
}

async function loseKeyspace(context: FaultContext): Promise<void> {
  const { system, history, tail, losses, proposer } = context;
  await standStill(context);
  const seen = new Map(history.lastIds);
  await system.client.flushall();
  losses.add({ seen, survived: new Map() }, history);
  tail.rewind(new Map());
  proposer.forget();
  for (const { redisProxy } of system.members) redisProxy?.heal();
  // Whoever published these proposals may publish them again, although they were already executed.
  await proposer.repeat();
  proposer.resume();
}

/** The file to which Redis appends. */
async function logOf(dir: string): Promise<{ path: string; bytes: number }> {
  const folder = join(dir, "appendonlydir");
  const name = (await readdir(folder)).findLast((file) => file.endsWith(".incr.aof"));
  if (name === undefined) throw new Error(`${folder} has no log`);
  const path = join(folder, name);
  return { path, bytes: (await stat(path)).size };
}

/** Of the streams as they are now. */
export async function lastIds({ system }: FaultContext): Promise<Map<StreamRef, string>> {
  const { intake, partitions } = system.stored;
  const found = new Map<StreamRef, string>();
  const look = async ({ keys, redis }: Place, stream: StreamName, partition: number) => {
    const newest = await untilAnswered(() => redis.xrevrange(keys.streams[stream], "+", "-", "COUNT", 1));
    if (newest[0] !== undefined) found.set(streamRef(stream, partition), newest[0][0]);
  };
  await look(intake, "proposal", 0);
  for (const partition of partitions.all)
    for (const stream of ["plan", "permit", "execute", "result"] as const)
      await look(partition, stream, partition.number);
  return found;
}
