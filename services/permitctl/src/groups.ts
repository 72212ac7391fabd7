/** The consumer groups, and the services behind them: a consumer is named `<service>@<host>:<port>`. */
import { hostname } from "node:os";
import type { Keys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import { fieldsOf, groupHealth } from "@quantum/streams";
import { z } from "zod";

/** Blocking reads renew a consumer's idle time every 5 s; one that is silent for longer is gone or stuck. */
const ALIVE_MS = 15_000;
const PROBE_DEADLINE_MS = 1_000;
const REFUSED = "nothing listens on its port";

export interface Group {
  stream: string;
  group: string;
  /** Entries not yet delivered; null where Redis cannot tell. */
  lag: number | null;
  pending: number;
  /** Idle time of the oldest pending entry, in ms. */
  oldestIdleMs: number;
  consumers: { name: string; idleMs: number }[];
}

export interface Service {
  service: string;
  instance: string;
  /** Since its last read. */
  idleMs: number;
  /** It reads, and if it runs here its port is open. */
  alive: boolean;
  /** Undefined: on another host, or without a port in its name. */
  probe: Probe | undefined;
}

interface Probe {
  ready: boolean;
  version: string | null;
  problems: string[];
}

export async function readGroups(redis: RedisClient, keys: Keys): Promise<Group[]> {
  const read = await Promise.all(Object.values(keys.streams).map((stream) => groupsOf(redis, stream)));
  return read.flat();
}

async function groupsOf(redis: RedisClient, stream: string): Promise<Group[]> {
  if ((await redis.exists(stream)) === 0) return [];
  const groups = (await info(redis, "GROUPS", stream)).map(({ name = "" }) => name);
  return Promise.all(
    groups.map(async (group) => {
      const { lag, pending, oldestIdleMs } = await groupHealth(redis, stream, group);
      const consumers = (await info(redis, "CONSUMERS", stream, group)).map(({ name = "", idle }) => ({
        name,
        idleMs: Number(idle),
      }));
      return { stream, group, lag: Number.isNaN(lag) ? null : lag, pending, oldestIdleMs, consumers };
    }),
  );
}

async function info(
  redis: RedisClient,
  ...what: ["GROUPS", string] | ["CONSUMERS", string, string]
): Promise<Record<string, string>[]> {
  const rows = (await redis.call("XINFO", ...what)) as (string | number | null)[][];
  return rows.map((flat) => fieldsOf(flat.map((value) => String(value ?? ""))));
}

/** One for each consumer name that tells its service, asked whether it is ready where it runs on this host. */
export async function readServices(groups: readonly Group[]): Promise<Service[]> {
  const idle = new Map<string, number>();
  for (const { name, idleMs } of groups.flatMap(({ consumers }) => consumers)) {
    if (name.includes("@")) idle.set(name, Math.min(idleMs, idle.get(name) ?? Infinity));
  }
  const services = await Promise.all(
    [...idle].map(async ([instance, idleMs]) => ({
      service: instance.slice(0, instance.indexOf("@")),
      instance,
      idleMs,
      probe: await probe(instance),
    })),
  );
  return services
    .map((found) => ({ ...found, alive: found.idleMs < ALIVE_MS && found.probe?.problems[0] !== REFUSED }))
    .toSorted((a, b) => a.instance.localeCompare(b.instance));
}

const LOOPBACK = new Set(["localhost", "127.0.0.1", "::1"]);
const health = z.object({ version: z.string() });
const readiness = z.object({ problems: z.array(z.string()) });

async function probe(instance: string): Promise<Probe | undefined> {
  const [, host = "", port] = /@(.+):(\d+)$/.exec(instance) ?? [];
  if (port === undefined || (host !== hostname() && !LOOPBACK.has(host))) return undefined;
  const get = async (path: string) => {
    const signal = AbortSignal.timeout(PROBE_DEADLINE_MS);
    return (await fetch(`http://127.0.0.1:${port}${path}`, { signal })).json();
  };
  try {
    const [alive, ready] = await Promise.all([get("/healthz"), get("/readyz")]);
    const { problems } = readiness.parse(ready);
    return { ready: problems.length === 0, version: health.safeParse(alive).data?.version ?? null, problems };
  } catch (error) {
    return { ready: false, version: null, problems: [problemOf(error)] };
  }
}

function problemOf(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error && "code" in cause && cause.code === "ECONNREFUSED" ? REFUSED : message;
}
