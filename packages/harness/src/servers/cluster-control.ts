/** What is done to the nodes of a Redis Cluster, and how they come to agree on it. */
import type { RedisClient } from "@quantum/redis";
import { eventually } from "../processes/eventually.ts";
import { type ClusterNode, parseNodes } from "./cluster-nodes.ts";
import { passwordOf } from "./redis-users.ts";
import type { TestRedis } from "./redis-server.ts";

export const HOST = "127.0.0.1";
/** Of an election that has to be repeated, too. */
const AGREED_WITHIN_MS = 30_000;
const KEYS_A_MOVE = 100;
const MOVE_TIMEOUT_MS = 5_000;

export interface Server {
  readonly redis: TestRedis;
  /** For this process's own commands to it. */
  readonly client: RedisClient;
  readonly busPort: number;
  readonly id: string;
  isUp: boolean;
  /** From the other nodes. */
  isCutOff: boolean;
}

export class Cluster {
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
    return this.#servers.filter(({ isUp, isCutOff }) => isUp && !isCutOff);
  }

  /** As this node sees them, or else the first that answers: the connection to one that was frozen may be lost. */
  async nodes(of?: Server): Promise<ClusterNode[]> {
    const asked = of === undefined ? this.#live : [of];
    let problem: unknown = new Error("no node of this cluster is up");
    for (const { client } of asked) {
      try {
        return parseNodes((await client.call("CLUSTER", "NODES")) as string);
      } catch (error) {
        problem = error;
      }
    }
    throw problem;
  }

  async masterOf(slot: number, seenBy?: Server): Promise<Server> {
    const master = (await this.nodes(seenBy)).find(({ slots }) =>
      slots.some(({ from, to }) => from <= slot && slot <= to),
    );
    if (master === undefined) throw new Error(`slot ${slot} has no master`);
    return this.at(master.port);
  }

  async replicasOf(slot: number): Promise<Server[]> {
    const master = await this.masterOf(slot);
    return (await this.nodes())
      .filter(({ masterId }) => masterId === master.id)
      .map(({ port }) => this.at(port));
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
    const replica = (await this.replicasOf(slot)).find(({ isUp }) => isUp);
    if (replica === undefined) throw new Error(`the master of slot ${slot} has no replica that is up`);
    await replica.client.call("CLUSTER", "FAILOVER");
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
export async function eachEventually(
  servers: readonly Server[],
  what: string,
  holds: (server: Server) => Promise<boolean>,
): Promise<void> {
  for (const server of servers) {
    const probe = async () => (await holds(server).catch(() => false)) || undefined;
    await eventually(probe, AGREED_WITHIN_MS, `${what} (port ${server.redis.port})`);
  }
}
