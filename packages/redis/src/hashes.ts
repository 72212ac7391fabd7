/**
 * Hashes that lie in any slot, such as those that publishers write for each symbol. In a cluster this is ioredis's own client for one: it
 * has a connection to each master, whatever the number of hashes, and follows slots that move. What speaks against it elsewhere
 * (docs/adr/0039) concerns scripts, pipelines and their order; here each command stands alone.
 */
import { Cluster } from "ioredis";
import { optionsOf } from "./client.ts";
import { fillHosts, hostsOf } from "./cluster-hosts.ts";
import {
  COMMAND_DEADLINE_MS,
  connectForCommands,
  type ConnectOptions,
  disconnect,
  type RedisClient,
  withDeadline,
} from "./connection.ts";
import { type ClusterUrl, parseRedisUrl } from "./url.ts";

/** Every call ends within {@link COMMAND_DEADLINE_MS}, in an answer or an error. */
export interface Hashes {
  /** Empty if there is none. */
  read(key: string): Promise<Record<string, string>>;
  /** In one step, and no field of before stays. */
  replace(key: string, fields: Readonly<Record<string, string>>): Promise<void>;
  close(): Promise<void>;
}

/** Those of one server, on a connection that others use as well. */
export function hashesOn(redis: RedisClient): Hashes {
  return new HashesOf(redis, async () => undefined);
}

export function connectForHashes(options: Omit<ConnectOptions, "slotOf">): Hashes {
  const url = parseRedisUrl(options.url);
  if (url.kind !== "cluster") {
    const redis = connectForCommands(options);
    return new HashesOf(redis, () => disconnect(redis));
  }
  const cluster = connectToCluster(url, options);
  return new HashesOf(cluster, async () => cluster.disconnect());
}

/** It looks for the cluster again this long after it found no node of it. */
const AGAIN_MS = 1_000;

function connectToCluster(url: ClusterUrl, options: ConnectOptions) {
  const [{ host } = { host: "" }] = url.nodes;
  const cluster = new Cluster([...url.nodes], {
    natMap: hostsOf(host),
    clusterRetryStrategy: () => AGAIN_MS,
    // It asks for CLUSTER INFO, to which a service has no right. Where the cluster is down, commands say so.
    enableReadyCheck: false,
    redisOptions: {
      connectionName: options.name,
      enableReadyCheck: false,
      commandTimeout: COMMAND_DEADLINE_MS,
      socketTimeout: COMMAND_DEADLINE_MS,
      ...optionsOf(url, url.user, url.password),
    },
  });
  fillHosts(cluster);
  cluster.on("error", options.onError);
  return cluster;
}

class HashesOf implements Hashes {
  readonly #client: RedisClient | Cluster;
  readonly close: () => Promise<void>;
  #wasReady = false;

  constructor(client: RedisClient | Cluster, close: () => Promise<void>) {
    this.#client = client;
    this.close = close;
    if (client instanceof Cluster) client.once("ready", () => (this.#wasReady = true));
  }

  async read(key: string): Promise<Record<string, string>> {
    // A cluster's client has no deadline while it looks for the master.
    return withDeadline(this.#reached().hgetall(key), COMMAND_DEADLINE_MS, `HGETALL ${key}`);
  }

  async replace(key: string, fields: Readonly<Record<string, string>>): Promise<void> {
    const written = this.#reached().multi().del(key).hset(key, fields).exec();
    const replies = await withDeadline(written, COMMAND_DEADLINE_MS, `HSET ${key}`);
    for (const [error] of replies ?? []) if (error !== null) throw error;
  }

  /**
   * A cluster's client of which no node is left would keep what nobody waits for any more, however long that lasts, and send all of it
   * once a node answers.
   */
  #reached(): RedisClient | Cluster {
    if (this.#wasReady && this.#client.status !== "ready") throw new Error("no node of the cluster answers");
    return this.#client;
  }
}
