/**
 * A Redis Cluster of real processes, in which each node has the pipeline's users. Tests cause what operators and failures
 * do: a slot that moves, a failover, a lost master.
 */
import { mkdir } from "node:fs/promises";
import { join as pathOf } from "node:path";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { eventually } from "../processes/eventually.ts";
import { freePort } from "../processes/free-port.ts";
import { startRedisServer, type TestRedis } from "./redis-server.ts";
import { type ClusterNode, parseNodes } from "./cluster-nodes.ts";
import { passwordOf, urlOfUser } from "./redis-users.ts";

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
  /** Starts what was killed, and waits until every node is up and every replica follows its master. */
  heal(): Promise<void>;
  stop(): Promise<void>;
}

const SLOTS = 16_384;
const HOST = "127.0.0.1";
/** Short, so that a lost master is replaced within two or three seconds. */
const NODE_TIMEOUT_MS = 1_000;
/** Of an election that has to be repeated, too. */
const AGREED_WITHIN_MS = 30_000;
const KEYS_A_MOVE = 100;
const MOVE_TIMEOUT_MS = 5_000;

interface Server {
  readonly redis: TestRedis;
  /** For this process's own commands to it. */
  readonly client: RedisClient;
  readonly busPort: number;
  readonly id: string;
  isUp: boolean;
}

export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const { masters = 3, replicas = 0 } = options;
  await using started = new AsyncDisposableStack();
  const servers: Server[] = [];
  for (let index = 0; index < masters * (1 + replicas); index += 1) {
    servers.push(await startNode(options, index, started));
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
      master.isUp = false;
      await master.redis.kill();
      return cluster.untilReplaced(slot, master);
    },
    promote: (slot) => cluster.promote(slot),
    async heal() {
      for (const server of servers) {
        if (server.isUp) continue;
        await server.redis.restart();
        server.isUp = true;
      }
      await cluster.whole();
    },
    stop: () => resources.disposeAsync(),
  };
}

async function startNode(
  { partitions = 1, defaultUser = true, dir, config }: RedisClusterOptions,
  index: number,
  started: AsyncDisposableStack,
): Promise<Server> {
  // By default it is a port that outgoing connections use, too.
  const busPort = await freePort();
  const folder = dir === undefined ? undefined : pathOf(dir, `node-${index}`);
  if (folder !== undefined) await mkdir(folder, { recursive: true });
  const redis = await startRedisServer({
    partitions,
    defaultUser,
    ...(folder !== undefined && { dir: folder }),
    config: {
      masteruser: "admin",
      masterauth: passwordOf("admin"),
      "cluster-enabled": "yes",
      "cluster-port": `${busPort}`,
      "cluster-node-timeout": `${NODE_TIMEOUT_MS}`,
      // By default a master waits 5 s for more replicas before it sends its data.
      "repl-diskless-sync-delay": "0",
      // A replica stands for election however long it was without its master.
      "cluster-replica-validity-factor": "0",
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
  const id = (await client.call("CLUSTER", "MYID")) as string;
  return { redis, client, busPort, id, isUp: true };
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

class Cluster {
  readonly #servers: readonly Server[];

  constructor(servers: readonly Server[]) {
    this.#servers = servers;
  }

  at(port: number): Server {
    const server = this.#servers.find(({ redis }) => redis.port === port);
    if (server === undefined) throw new Error(`no node of this cluster listens on ${port}`);
    return server;
  }

  get #live(): Server[] {
    return this.#servers.filter(({ isUp }) => isUp);
  }

  async nodes(of = this.#live[0]): Promise<ClusterNode[]> {
    if (of === undefined) throw new Error("no node of this cluster is up");
    return parseNodes((await of.client.call("CLUSTER", "NODES")) as string);
  }

  async masterOf(slot: number, seenBy?: Server): Promise<Server> {
    const master = (await this.nodes(seenBy)).find(({ slots }) =>
      slots.some(({ from, to }) => from <= slot && slot <= to),
    );
    if (master === undefined) throw new Error(`slot ${slot} has no master`);
    return this.at(master.port);
  }

  async reshard(slot: number, to: Server, meanwhile?: () => Promise<void>): Promise<void> {
    const from = await this.masterOf(slot);
    if (from === to) return;
    await to.client.call("CLUSTER", "SETSLOT", slot, "IMPORTING", from.id);
    await from.client.call("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id);
    await meanwhile?.();
    for (;;) {
      const keys = (await from.client.call("CLUSTER", "GETKEYSINSLOT", slot, KEYS_A_MOVE)) as string[];
      if (keys.length === 0) break;
      await from.client.call(
        "MIGRATE",
        HOST,
        to.redis.port,
        "",
        0,
        MOVE_TIMEOUT_MS,
        "AUTH2",
        "admin",
        passwordOf("admin"),
        "KEYS",
        ...keys,
      );
    }
    // The new master first: otherwise nobody would have the slot if the move ended in between.
    await to.client.call("CLUSTER", "SETSLOT", slot, "NODE", to.id);
    await from.client.call("CLUSTER", "SETSLOT", slot, "NODE", to.id);
    await eachEventually(this.#live, `slot ${slot} at ${to.redis.port}`, async (server) => {
      return (await this.masterOf(slot, server)) === to;
    });
  }

  async promote(slot: number): Promise<number> {
    const master = await this.masterOf(slot);
    const replica = (await this.nodes()).find(({ masterId, port }) => {
      return masterId === master.id && this.at(port).isUp;
    });
    if (replica === undefined) throw new Error(`the master of slot ${slot} has no replica that is up`);
    await this.at(replica.port).client.call("CLUSTER", "FAILOVER");
    return this.untilReplaced(slot, master);
  }

  async untilReplaced(slot: number, master: Server): Promise<number> {
    await eachEventually(this.#live, `another master of slot ${slot}`, async (server) => {
      return (await this.masterOf(slot, server)) !== master && (await isOk(server));
    });
    return (await this.masterOf(slot)).redis.port;
  }

  async #roles(seenBy?: Server): Promise<string> {
    const nodes = await this.nodes(seenBy);
    return nodes
      .map(({ id, masterId = "-" }) => `${id} ${masterId}`)
      .toSorted()
      .join();
  }

  /** Resolves once every node accepts commands, all agree who follows whom, and each replica has its master's data. */
  async whole(): Promise<void> {
    const first = this.#servers[0];
    await eachEventually(this.#servers, "a node that is part of the whole cluster", async (server) => {
      if (!(await isOk(server))) return false;
      if ((await this.nodes(server)).some(({ isFailed }) => isFailed)) return false;
      // A master that was replaced does not know it when it comes back.
      if ((await this.#roles(server)) !== (await this.#roles(first))) return false;
      const replication = await server.client.info("replication");
      return replication.includes("role:master") || replication.includes("master_link_status:up");
    });
  }
}

async function isOk({ client }: Server): Promise<boolean> {
  return ((await client.call("CLUSTER", "INFO")) as string).includes("cluster_state:ok");
}

/** A command that fails is tried again: a node that was restarted may still be loading. */
async function eachEventually(
  servers: readonly Server[],
  what: string,
  holds: (server: Server) => Promise<boolean>,
): Promise<void> {
  for (const server of servers) {
    const probe = async () => (await holds(server).catch(() => false)) || undefined;
    await eventually(probe, AGREED_WITHIN_MS, `${what} (port ${server.redis.port})`);
  }
}
