/** A run's Redis with replicas: behind Sentinels, or a cluster. Both show what a failover does. */
import { createKeys, slotOf } from "@quantum/contract";
import {
  type RedisCluster,
  type ReplicatedRedis,
  startRedisCluster,
  startReplicatedRedis,
  urlOfUser,
} from "@quantum/harness";
import { clientCommand, prepare, type RunRedis, type Wanted } from "./redis.ts";

/** Each master is lost and replaced at most once: as many replicas as it takes to see it. */
const REPLICAS_OF_EACH = 1;
/** An election that nobody wins is repeated. */
const FAILOVER_WITHIN_MS = 30_000;

/** A master, two replicas and three Sentinels. */
export async function startOwnSentinels(wanted: Wanted): Promise<RunRedis> {
  const { partitions } = wanted;
  const { data, binary } = await prepare(wanted);
  const set = await startReplicatedRedis({ dir: data, partitions, defaultUser: false });
  const port = await set.masterPort();
  return {
    ...placeOf(set, partitions),
    port,
    cli: `${clientCommand(binary)} -u ${urlOfUser(serverUrl(port), "viewer")} --no-auth-warning`,
    failover: [`Fail the master over with: kill -9 ${set.pidOf(port)}`],
  };
}

/** So many masters, with a replica each. */
export async function startOwnCluster(wanted: Wanted, masters: number): Promise<RunRedis> {
  const { partitions } = wanted;
  const { data, binary } = await prepare(wanted);
  const cluster = await startRedisCluster({
    dir: data,
    masters,
    replicas: REPLICAS_OF_EACH,
    partitions,
    defaultUser: false,
  });
  const [port = 0] = cluster.ports;
  return {
    ...placeOf(cluster, partitions),
    port,
    cli: `${clientCommand(binary)} -c -u ${urlOfUser(serverUrl(port), "viewer")} --no-auth-warning`,
    failover: await failoversOf(cluster, partitions),
  };
}

function placeOf(servers: ReplicatedRedis | RedisCluster, partitions: number) {
  return {
    url: urlOfUser(servers.url, "admin"),
    partitions,
    operatorUrl: urlOfUser(servers.url, "operator"),
    urlOf: (user: string) => urlOfUser(servers.url, user),
    // The loss of one server is what there is to see here.
    ended: new Promise<never>(() => undefined),
    silenceMs: FAILOVER_WITHIN_MS,
    stop: () => servers.stop(),
  };
}

/** One line a master: what it has, and how to end it. */
async function failoversOf(cluster: RedisCluster, partitions: number): Promise<string[]> {
  const slots = new Map([
    ["the proposals", slotOf(createKeys().streams.proposal)],
    ...Array.from(
      { length: partitions },
      (_, partition) => [`q${partition}`, slotOf(createKeys({ partition }).probe)] as const,
    ),
  ]);
  const held = new Map<number, string[]>();
  for (const [what, slot] of slots) {
    const port = await cluster.masterOf(slot);
    held.set(port, [...(held.get(port) ?? []), what]);
  }
  return [...held].map(
    ([port, what]) => `Fail the master of ${what.join(", ")} over with: kill -9 ${cluster.pidOf(port)}`,
  );
}

function serverUrl(port: number): string {
  return `redis://127.0.0.1:${port}`;
}
