/**
 * The Redis under attack: one server alone, or a master with replicas and Sentinels. Every service reaches it through a
 * proxy of its own. After a failover the proxies lead to the new master, as a load balancer would do it.
 */
import { setTimeout as delay } from "node:timers/promises";
import {
  canShiftRedisClock,
  type FaultProxy,
  type FaultProxyOptions,
  type ReplicatedRedis,
  startFaultProxy,
  startRedisServer,
  startReplicatedRedis,
  type TestRedis,
} from "@quantum/harness";

/** One server, or a master with replicas and Sentinels. */
export type RedisKind = "lone" | "sentinel";

/** How often the Sentinels are asked for the master. */
const ASK_MS = 50;

export interface RedisServers {
  /** Leads to the master. */
  readonly url: string;
  /** The server; undefined if there are several. */
  readonly lone: TestRedis | undefined;
  /** The master, its replicas and Sentinels; undefined if there is only one server. */
  readonly set: ReplicatedRedis | undefined;
  /** If false, the fault `time` only steps the services' clocks. */
  readonly canShiftClock: boolean;
  /** A service's own way to the master. */
  proxy(options: Omit<FaultProxyOptions, "upstream">): Promise<FaultProxy>;
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

async function proxyTo(
  port: number,
  options: Omit<FaultProxyOptions, "upstream">,
  resources: AsyncDisposableStack,
): Promise<FaultProxy> {
  const proxy = await startFaultProxy({ upstream: { port }, ...options });
  resources.defer(() => proxy.close());
  return proxy;
}
