/**
 * A Redis Cluster of real processes, in which each node has the pipeline's users. Tests cause what operators and failures
 * do: a slot that moves, a failover, a lost master.
 */
import { mkdir } from "node:fs/promises";
import { join as pathOf } from "node:path";
import { connectForCommands, disconnect } from "@quantum/redis";
import { eventually } from "../processes/eventually.ts";
import { freePort } from "../processes/free-port.ts";
import { startRedisServer } from "./redis-server.ts";
import { ClusterBus } from "./cluster-bus.ts";
import { type ClusterNode, parseNodes } from "./cluster-nodes.ts";
import { Cluster, eachEventually, HOST, type Server } from "./cluster-control.ts";
import { allow, LINK_PASSWORD, refuse } from "./links.ts";
import { urlOfUser } from "./redis-users.ts";

export interface RedisClusterOptions {
  /** Default 3. A cluster of fewer does not replace a master that is lost: the majority of masters has to agree. */
  masters?: number;
  /** Of each master. Default 0. */
  replicas?: number;
  /** As in PARTITIONS. Default 1. */
  partitions?: number;
  /** Below it are the servers' data folders, kept by stop(). Default: temporary ones. */
  dir?: string;
  /** Whether somebody without a name may do everything. Default true. */
  defaultUser?: boolean;
  /** For {@link RedisCluster.isolateMaster}: the nodes reach each other through this process. Needs Linux. Default false. */
  canIsolate?: boolean;
  /** Settings of redis.conf for every node, by name. */
  config?: Record<string, string>;
}

export interface RedisCluster {
  /** For example `redis+cluster://127.0.0.1:20123,127.0.0.1:20124,127.0.0.1:20125`. */
  readonly url: string;
  readonly ports: readonly number[];
  /** As a live node sees them. */
  nodes(): Promise<ClusterNode[]>;
  /** The port of the slot's master. */
  masterOf(slot: number): Promise<number>;
  /** Of the server on this port. */
  pidOf(port: number): number;
  /**
   * Moves a slot with its keys to the master on this port. `meanwhile` runs when the move has begun and no key has moved:
   * the old master then answers ASK for keys that it does not have.
   */
  reshard(slot: number, toPort: number, meanwhile?: () => Promise<void>): Promise<void>;
  /** SIGKILL of the slot's master. Resolves once a replica is in its place and every node knows, with its port. */
  killMaster(slot: number): Promise<number>;
  /** An ordered failover, which loses nothing. Resolves once every node knows the new master, with its port. */
  promote(slot: number): Promise<number>;
  /** The ports of the replicas of the slot's master. */
  replicasOf(slot: number): Promise<number[]>;
  /** SIGKILL of every replica of the slot's master. */
  killReplicas(slot: number): Promise<void>;
  /** The replicas of the slot's master get nothing more from it, until {@link heal}. */
  cutReplication(slot: number): Promise<void>;
  /**
   * SIGSTOP of the slot's master. Resolves once a replica is in its place, with what lets the old one go on, which still
   * takes itself for the master.
   */
  freezeMaster(slot: number): Promise<() => void>;
  /**
   * The slot's master and all other nodes no longer reach each other, and its clients still reach it, until {@link heal}.
   * Resolves at once; a replica takes its place soon after.
   */
  isolateMaster(slot: number): Promise<void>;
  /** Resolves once the other nodes know another master of the slot than the one on this port, with its port. */
  untilReplaced(slot: number, port: number): Promise<number>;
  /** Starts what was killed, ends what was cut, and waits until every node is up and every replica follows its master. */
  heal(): Promise<void>;
  stop(): Promise<void>;
}

const SLOTS = 16_384;
/** Short, so that a lost master is replaced within two or three seconds. */
const NODE_TIMEOUT_MS = 1_000;
const STARTED_WITHIN_MS = 10_000;

export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const { masters = 3, replicas = 0 } = options;
  await using started = new AsyncDisposableStack();
  const servers: Server[] = [];
  const bus = options.canIsolate === true ? new ClusterBus() : undefined;
  started.defer(() => bus?.close());
  for (let index = 0; index < masters * (1 + replicas); index += 1) {
    servers.push(await startNode(options, { index, bus }, started));
  }
  await join(servers);
  await assign(servers, masters);
  const cluster = new Cluster(servers);
  await cluster.whole();

  const resources = started.move();
  return {
    url: `redis+cluster://${servers.map(({ redis }) => `${HOST}:${redis.port}`).join()}`,
    ports: servers.map(({ redis }) => redis.port),
    nodes: () => cluster.nodes(),
    masterOf: async (slot) => (await cluster.masterOf(slot)).redis.port,
    pidOf: (port) => cluster.at(port).redis.pid,
    reshard: (slot, toPort, meanwhile) => cluster.reshard(slot, cluster.at(toPort), meanwhile),
    async killMaster(slot) {
      const master = await cluster.masterOf(slot);
      await end(master);
      return cluster.untilReplaced(slot, master);
    },
    async killReplicas(slot) {
      await Promise.all((await cluster.replicasOf(slot)).map(end));
    },
    async cutReplication(slot) {
      await refuse((await cluster.masterOf(slot)).client, "replica");
    },
    async freezeMaster(slot) {
      const master = await cluster.masterOf(slot);
      master.isUp = false;
      master.redis.pause();
      await cluster.untilReplaced(slot, master);
      return () => {
        master.redis.resume();
        master.isUp = true;
      };
    },
    async isolateMaster(slot) {
      if (bus === undefined) throw new Error("this cluster was started without the option `canIsolate`");
      const master = await cluster.masterOf(slot);
      master.isCutOff = true;
      bus.cutOff(servers.indexOf(master));
      await refuse(master.client, "replica");
    },
    untilReplaced: (slot, port) => cluster.untilReplaced(slot, cluster.at(port)),
    promote: (slot) => cluster.promote(slot),
    replicasOf: async (slot) => (await cluster.replicasOf(slot)).map(({ redis }) => redis.port),
    async heal() {
      bus?.heal();
      for (const server of servers) {
        if (!server.isUp) await server.redis.restart();
        server.isUp = true;
        server.isCutOff = false;
        await allowReplicas(server);
      }
      await cluster.whole();
    },
    stop: () => resources.disposeAsync(),
  };
}

async function end(server: Server): Promise<void> {
  server.isUp = false;
  await server.redis.kill();
}

/** Retries, because a server that was just started may be loading. */
async function allowReplicas({ client, redis }: Server): Promise<void> {
  const probe = async () => {
    await allow(client, "replica");
    return true;
  };
  await eventually(() => probe().catch(() => undefined), STARTED_WITHIN_MS, `a server at ${redis.port}`);
}

async function startNode(
  { partitions = 1, defaultUser = true, dir, config }: RedisClusterOptions,
  { index, bus }: { index: number; bus: ClusterBus | undefined },
  started: AsyncDisposableStack,
): Promise<Server> {
  // By default it is a port that outgoing connections use, too.
  const ownBusPort = await freePort();
  const busPort = (await bus?.leadTo(index, ownBusPort)) ?? ownBusPort;
  const folder = dir === undefined ? undefined : pathOf(dir, `node-${index}`);
  if (folder !== undefined) await mkdir(folder, { recursive: true });
  const redis = await startRedisServer({
    partitions,
    defaultUser,
    ...(folder !== undefined && { dir: folder }),
    config: {
      masteruser: "replica",
      masterauth: LINK_PASSWORD,
      "cluster-enabled": "yes",
      "cluster-port": `${ownBusPort}`,
      ...(bus !== undefined && {
        "cluster-announce-bus-port": `${busPort}`,
        "bind-source-addr": bus.addressOf(index),
        // It takes another loopback address than 127.0.0.1 for a stranger's.
        "protected-mode": "no",
      }),
      "cluster-node-timeout": `${NODE_TIMEOUT_MS}`,
      // By default a master waits 5 s for more replicas before it sends its data.
      "repl-diskless-sync-delay": "0",
      // A replica stands for election however long it was without its master.
      "cluster-replica-validity-factor": "0",
      // As docs/deployment.md wants it: a lost master stops its own slots alone.
      "cluster-require-full-coverage": "no",
      ...config,
    },
  });
  started.defer(() => redis.stop());
  const client = connectForCommands({
    url: urlOfUser(redis.url, "admin"),
    name: "harness",
    onError: () => undefined,
  });
  started.defer(() => disconnect(client));
  await allow(client, "replica");
  const id = (await client.call("CLUSTER", "MYID")) as string;
  return { redis, client, busPort, id, isUp: true, isCutOff: false };
}

/** Resolves once each node knows all others. */
async function join(servers: readonly Server[]): Promise<void> {
  const [first, ...others] = servers as [Server, ...Server[]];
  // Different from the start: equal ones are told apart one by one, which takes seconds.
  for (const [index, { client }] of servers.entries())
    await client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
  for (const { redis, busPort } of others)
    await first.client.call("CLUSTER", "MEET", HOST, redis.port, busPort);
  await eachEventually(servers, "a node that knows all others", async ({ client }) => {
    const known = parseNodes((await client.call("CLUSTER", "NODES")) as string);
    return servers.every(({ id }) => known.some((node) => node.id === id));
  });
}

/** The first `masters` servers share the slots; the others follow them in turn. */
async function assign(servers: readonly Server[], masters: number): Promise<void> {
  for (const [index, { client }] of servers.slice(0, masters).entries()) {
    const from = Math.floor((index * SLOTS) / masters);
    const to = Math.floor(((index + 1) * SLOTS) / masters) - 1;
    await client.call("CLUSTER", "ADDSLOTSRANGE", from, to);
  }
  for (const [index, { client }] of servers.slice(masters).entries()) {
    const master = servers[index % masters];
    if (master !== undefined) await client.call("CLUSTER", "REPLICATE", master.id);
  }
}
