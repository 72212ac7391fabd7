/**
 * The Redis under attack: one server alone, a master with replicas and Sentinels, or a cluster. Every service reaches the
 * first two through a proxy of its own, since some faults need its frames. After a failover the proxies lead to the new
 * master, as a load balancer would do it. A cluster names its nodes' own addresses, so services reach it directly.
 */
import { setTimeout as delay } from "node:timers/promises";
import {
  canShiftRedisClock,
  type FaultProxy,
  type FaultProxyOptions,
  type RedisCluster,
  type ReplicatedRedis,
  startFaultProxy,
  startRedisCluster,
  startRedisServer,
  startReplicatedRedis,
  type TestRedis,
} from "@quantum/harness";

/** One server, a master with replicas and Sentinels, or a cluster of three masters with a replica each. */
export type RedisKind = "lone" | "sentinel" | "cluster";

/** Two for each of three masters: docs/adr/0039. */
const CLUSTER_PARTITIONS = 6;

/** How often the Sentinels are asked for the master. */
const ASK_MS = 50;

export interface RedisServers {
  /** Leads to the master, or to the cluster. */
  readonly url: string;
  /** As in PARTITIONS. */
  readonly partitions: number;
  /** The server; undefined if there are several. */
  readonly lone: TestRedis | undefined;
  /** The master, its replicas and Sentinels; undefined if it is something else. */
  readonly set: ReplicatedRedis | undefined;
  readonly cluster: RedisCluster | undefined;
  /** If false, the fault `time` only steps the services' clocks. */
  readonly canShiftClock: boolean;
  /** A service's own way to the master; undefined in a cluster. */
  proxy(options: Omit<FaultProxyOptions, "upstream">): Promise<FaultProxy | undefined>;
  /**
   * The proxies go on to lead to the server that is master now; `own` is that of {@link url}.
   * @returns what leads them to the new master
   */
  keepToMaster(...proxies: readonly (FaultProxy | "own")[]): () => Promise<void>;
}

export async function startRedisServers(
  kind: RedisKind,
  resources: AsyncDisposableStack,
): Promise<RedisServers> {
  if (kind === "sentinel") return startSet(resources);
  if (kind === "cluster") return startCluster(resources);
  const canShiftClock = await canShiftRedisClock();
  const lone = await startRedisServer({
    clock: canShiftClock,
    appendonly: true,
    appendfsync: "everysec",
    // A rewrite would replace the log that a power loss truncates.
    config: { "auto-aof-rewrite-percentage": "0" },
  });
  resources.defer(() => lone.stop());
  return {
    url: lone.url,
    lone,
    set: undefined,
    cluster: undefined,
    partitions: 1,
    canShiftClock,
    proxy: (options) => proxyTo(lone.port, options, resources),
    keepToMaster: () => () => Promise.resolve(),
  };
}

async function startSet(resources: AsyncDisposableStack): Promise<RedisServers> {
  const set = await startReplicatedRedis();
  resources.defer(() => set.stop());
  let master = await set.masterPort();
  const proxies = new Set<FaultProxy>();
  const kept = new Set<FaultProxy>();
  const own = await proxyTo(master, {}, resources);
  proxies.add(own);

  const stopping = new AbortController();
  const follow = async () => {
    while (!stopping.signal.aborted) {
      const now = await set.masterPort().catch(() => master);
      if (now !== master) {
        master = now;
        for (const proxy of proxies) if (!kept.has(proxy)) proxy.lead(master);
      }
      await delay(ASK_MS);
    }
  };
  const following = follow();
  resources.defer(async () => {
    stopping.abort();
    await following;
  });
  return {
    url: `redis://127.0.0.1:${own.port}`,
    lone: undefined,
    set,
    cluster: undefined,
    partitions: 1,
    canShiftClock: false,
    async proxy(options) {
      const proxy = await proxyTo(master, options, resources);
      proxies.add(proxy);
      return proxy;
    },
    keepToMaster(...given) {
      const held = given.map((proxy) => (proxy === "own" ? own : proxy));
      for (const proxy of held) kept.add(proxy);
      return async () => {
        const now = await set.masterPort();
        for (const proxy of held) {
          kept.delete(proxy);
          proxy.lead(now);
        }
      };
    },
  };
}

/** Services follow it by themselves. */
async function startCluster(resources: AsyncDisposableStack): Promise<RedisServers> {
  const cluster = await startRedisCluster({ replicas: 1, partitions: CLUSTER_PARTITIONS });
  resources.defer(() => cluster.stop());
  return {
    url: cluster.url,
    lone: undefined,
    set: undefined,
    cluster,
    partitions: CLUSTER_PARTITIONS,
    canShiftClock: false,
    proxy: () => Promise.resolve(undefined),
    keepToMaster: () => () => Promise.resolve(),
  };
}

async function proxyTo(
  port: number,
  options: Omit<FaultProxyOptions, "upstream">,
  resources: AsyncDisposableStack,
): Promise<FaultProxy> {
  const proxy = await startFaultProxy({ upstream: { port }, ...options });
  resources.defer(() => proxy.close());
  return proxy;
}
