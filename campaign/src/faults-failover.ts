/**
 * Faults of a master with replicas and Sentinels. A failover loses what the replicas did not get. This process has read
 * every stream entry of the old master before another one takes over, so the checks know what is gone.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { ReplicatedRedis, StreamRef } from "@quantum/harness";
import type { FaultContext, FaultKind } from "./fault-kind.ts";
import { lastIds, standStill } from "./faults-redis.ts";
import { type Member, proxyOf } from "./system.ts";

/** For so long the replicas get nothing before the master dies. */
const LOST_MS = { low: 50, high: 1_000 } as const;
/** The executor stays with the old master while all others have a new one. */
const ISOLATED_MS = { low: 500, high: 4_000 } as const;
const ALONE_MS = 3_000;
/** Longer than the Sentinels need to take a master for lost: some 2 s. */
const BLIND_MS = 4_000;

export const FAILOVER_FAULTS: Readonly<Record<string, FaultKind>> = {
  "master-kill": {
    meaning: "the master is killed, and a replica takes over",
    weight: 2,
    on: ["sentinel"],
    run: async (context) => {
      const set = setOf(context);
      await replaceMaster(context, () => set.killMaster());
      return [{ kind: "master-kill", target: "redis" }];
    },
  },
  failover: {
    meaning: "a failover is ordered",
    weight: 2,
    on: ["sentinel"],
    run: async (context) => {
      const set = setOf(context);
      await replaceMaster(context, () => set.promote());
      return [{ kind: "failover", target: "redis" }];
    },
  },
  "failover-loss": {
    meaning: `the master is killed, sometimes with the executor, and a replica takes over that lacks the last ${LOST_MS.low}-${LOST_MS.high} ms`,
    weight: 3,
    on: ["sentinel"],
    run: loseWrites,
  },
  "master-isolated": {
    meaning: `the master and the executor are cut off from all others, which get a new master; the executor follows up to ${ISOLATED_MS.high / 1000} s later`,
    weight: 3,
    on: ["sentinel"],
    run: isolateMaster,
  },
  "replicas-gone": {
    meaning: `every replica is killed for ${ALONE_MS / 1000} s, and the master takes no writes without one`,
    weight: 1,
    on: ["sentinel"],
    run: async (context) => {
      const { client } = context.system;
      const set = setOf(context);
      await client.config("SET", "min-replicas-to-write", "1");
      await set.killReplicas();
      await delay(ALONE_MS);
      await client.config("SET", "min-replicas-to-write", "0");
      await set.heal();
      return [{ kind: "replicas-gone", target: "redis" }];
    },
  },
  "sentinels-gone": {
    meaning: `two or all of the three Sentinels are killed for ${BLIND_MS / 1000} s, sometimes with the master, which is replaced only after that`,
    weight: 2,
    on: ["sentinel"],
    run: blindSentinels,
  },
};

function setOf({ system }: FaultContext): ReplicatedRedis {
  if (system.servers.set === undefined) throw new Error("this fault needs a Redis with replicas");
  return system.servers.set;
}

function executorOf({ system }: FaultContext): Member {
  const executor = system.members.find(({ name }) => name === "executor");
  if (executor === undefined) throw new Error("no executor is here");
  return executor;
}

/** In mid-command: what services sent before is done, but its replies are lost. */
async function replaceMaster(context: FaultContext, replace: () => Promise<unknown>): Promise<void> {
  const { system, history, proposer } = context;
  const release = system.servers.keepToMaster("own");
  await standStill(context);
  const seen = new Map(history.lastIds);
  await replace();
  await release();
  await readOn(context, seen);
  for (const { redisProxy } of system.members) {
    redisProxy?.reset();
    redisProxy?.heal();
  }
  // Whoever published these proposals may publish them again, although they were already executed.
  await proposer.repeat();
  proposer.resume();
  await setOf(context).heal();
}

/** Without the executor's own memory of the old master, its journal alone knows what it sent. */
async function loseWrites(context: FaultContext) {
  const { system, random } = context;
  const set = setOf(context);
  const lostMs = random.between(LOST_MS.low, LOST_MS.high);
  const isWithExecutor = random.pick([true, false]);
  const executor = executorOf(context);
  await set.cutReplication();
  await delay(lostMs);
  await replaceMaster(context, async () => {
    if (isWithExecutor) {
      executor.up = false;
      await executor.process.kill();
    }
    await set.killMaster();
  });
  if (isWithExecutor) await system.restart(executor);
  return [{ kind: "failover-loss", target: `${lostMs} ms${isWithExecutor ? ", with the executor" : ""}` }];
}

async function blindSentinels(context: FaultContext) {
  const { random, history } = context;
  const set = setOf(context);
  const left = random.pick([0, 1]);
  const isWithMaster = random.pick([true, false]);
  await set.killSentinels(left);
  if (isWithMaster) {
    await replaceMaster(context, async () => {
      await Promise.all([set.killMaster(), delay(BLIND_MS).then(() => set.startSentinels())]);
    });
  } else {
    const before = executedIn(history);
    await delay(BLIND_MS);
    if (executedIn(history) === before) throw new Error("nothing was executed without Sentinels");
    await set.heal();
  }
  return [{ kind: "sentinels-gone", target: `${left} left${isWithMaster ? ", with the master" : ""}` }];
}

const executedIn = ({ results }: FaultContext["history"]) =>
  results.filter(({ executed }) => executed).length;

async function isolateMaster(context: FaultContext) {
  const { system, random, history, proposer } = context;
  const set = setOf(context);
  const lostMs = random.between(LOST_MS.low, LOST_MS.high);
  const isolatedMs = random.between(ISOLATED_MS.low, ISOLATED_MS.high);
  const executor = executorOf(context);
  const old = await set.masterPort();
  const releaseOwn = system.servers.keepToMaster("own");
  const releaseExecutor = system.servers.keepToMaster(proxyOf(executor));
  await set.isolateMaster();
  await delay(lostMs);
  await standStill(context);
  const seen = new Map(history.lastIds);
  // It goes on with what was handed over to it, and nobody else will see what it writes.
  proxyOf(executor).heal();
  await set.untilReplaced(old);
  await releaseOwn();
  await readOn(context, seen);
  for (const member of system.members) {
    if (member === executor) continue;
    proxyOf(member).reset();
    proxyOf(member).heal();
  }
  await proposer.repeat();
  proposer.resume();
  await delay(isolatedMs);
  await releaseExecutor();
  await set.heal();
  return [{ kind: "master-isolated", target: `${lostMs} ms lost, the executor ${isolatedMs} ms longer` }];
}

/** The new master may lack entries that were seen, and gives their ids again. */
async function readOn(context: FaultContext, seen: ReadonlyMap<StreamRef, string>): Promise<void> {
  const { history, losses, tail, proposer } = context;
  const survived = await lastIds(context);
  losses.add({ seen, survived }, history);
  tail.rewind(survived);
  proposer.forget();
}
