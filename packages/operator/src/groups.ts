/** The consumer groups, and the services behind them: a consumer is named `<service>@<host>:<port>`. */
import type { RedisClient } from "@quantum/redis";
import { consumersOf, groupHealth, groupsOf } from "@quantum/streams";
import type { Access } from "./access.ts";
import { byServer, type Places } from "./places.ts";
import { type Probe, Probes } from "./probes.ts";

/** A consumer's blocking connection sends a read every 5 s; one that is silent for longer is stuck or half-open. */
const ALIVE_SEC = 15;

export interface Group {
  stream: string;
  group: string;
  /** Entries not yet delivered; null where Redis cannot tell. */
  lag: number | null;
  pending: number;
  /** Idle time of the oldest pending entry, in ms. */
  oldestIdleMs: number;
  consumers: string[];
}

export interface Service {
  service: string;
  instance: string;
  /** It reads. */
  alive: boolean;
  /** Undefined: not asked. It is gone, or on another host and nobody gave its address. */
  probe: Probe | undefined;
}

export async function readGroups({ partitions, intake }: Places): Promise<Group[]> {
  const ofPartitions = partitions.all.flatMap(({ redis, keys }) =>
    Object.values(keys.streams)
      .filter((stream) => stream !== keys.streams.proposal)
      .map((stream) => groupsOfStream(redis, stream)),
  );
  // Publishers know no partitions.
  const proposals = intake && groupsOfStream(intake.redis, intake.keys.streams.proposal);
  return (await Promise.all([proposals ?? [], ...ofPartitions])).flat();
}

async function groupsOfStream(redis: RedisClient, stream: string): Promise<Group[]> {
  if ((await redis.exists(stream)) === 0) return [];
  return Promise.all(
    (await groupsOf(redis, stream)).map(async ({ name: group }) => {
      const { lag, pending, oldestIdleMs } = await groupHealth(redis, stream, group);
      const consumers = (await consumersOf(redis, stream, group)).map(({ name }) => name);
      return { stream, group, lag: Number.isNaN(lag) ? null : lag, pending, oldestIdleMs, consumers };
    }),
  );
}

/** Why this is no pipeline's Redis; undefined if it is: every service makes its groups at its first start. */
export function whyNoPipeline(groups: readonly Group[]): string | undefined {
  if (groups.length > 0) return undefined;
  return "no service of a pipeline has ever started on this Redis. Is it the right server and database?";
}

/** Consumers and who is connected now; those that can be asked are asked whether they are ready. */
export async function readServices(
  access: Pick<Access, "partitions">,
  groups: readonly Group[],
  probes = new Probes(),
): Promise<Service[]> {
  const ofServers = await Promise.all(byServer(access).map(([{ redis }]) => readers(redis)));
  const reading = new Set(ofServers.flatMap((instances) => [...instances]));
  const instances = new Set([...groups.flatMap(({ consumers }) => consumers), ...reading]);
  probes.keep(reading);
  return Promise.all(
    [...instances]
      .filter((instance) => instance.includes("@"))
      .toSorted()
      .map(async (instance) => {
        const alive = reading.has(instance);
        const service = instance.slice(0, instance.indexOf("@"));
        return { service, instance, alive, probe: alive ? await probes.of(instance) : undefined };
      }),
  );
}

/**
 * Instances whose blocking connection is at work. Not by the consumers' idle time: Redis 7.0 renews it only when a read
 * finds something.
 */
async function readers(redis: RedisClient): Promise<Set<string>> {
  const clients = String(await redis.client("LIST")).matchAll(
    / name=(\S+?):blocking(?::\S+)? .* idle=(\d+) /g,
  );
  return new Set([...clients].flatMap(([, name = "", idle]) => (Number(idle) < ALIVE_SEC ? [name] : [])));
}
