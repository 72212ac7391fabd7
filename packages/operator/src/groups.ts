/** The consumer groups, and the services behind them: a consumer is named `<service>@<host>:<port>`. */
import { hostname } from "node:os";
import type { RedisClient } from "@quantum/redis";
import { consumersOf, groupHealth, groupsOf } from "@quantum/streams";
import type { Build } from "@quantum/service-kit";
import { z } from "zod";
import type { Access } from "./access.ts";

/** A consumer's blocking connection sends a read every 5 s; one that is silent for longer is stuck or half-open. */
const ALIVE_SEC = 15;
const PROBE_DEADLINE_MS = 1_000;

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
  /** Undefined: gone, on another host, or without a port in its name. */
  probe: Probe | undefined;
}

interface Probe {
  ready: boolean;
  /** Null if it did not say. */
  build: Build | null;
  problems: string[];
}

export async function readGroups({ redis, keys }: Access): Promise<Group[]> {
  const read = await Promise.all(Object.values(keys.streams).map((stream) => groupsOfStream(redis, stream)));
  return read.flat();
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

/** Consumers and who is connected now; a service that runs on this host is asked whether it is ready. */
export async function readServices(
  { redis }: Access,
  groups: readonly Group[],
  probes = new Probes(),
): Promise<Service[]> {
  const reading = await readers(redis);
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
  const clients = String(await redis.client("LIST")).matchAll(/ name=(\S+):blocking .* idle=(\d+) /g);
  return new Set([...clients].flatMap(([, name = "", idle]) => (Number(idle) < ALIVE_SEC ? [name] : [])));
}

const LOOPBACK = new Set(["localhost", "127.0.0.1", "::1"]);
/** Services of before there was a commit in it do not tell it. */
const health = z.object({ version: z.string(), commit: z.string().default("unknown") });
const readiness = z.object({ problems: z.array(z.string()) });

/** Asks a service by HTTP. Undefined if it is on another host, or has no port in its name. */
export function httpOf(instance: string): ((path: string) => Promise<Response>) | undefined {
  const [, host = "", port] = /@(.+):(\d+)$/.exec(instance) ?? [];
  if (port === undefined || (host !== hostname() && !LOOPBACK.has(host))) return undefined;
  return (path) =>
    fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(PROBE_DEADLINE_MS) });
}

interface Asked {
  /** By performance.now(). */
  atMs: number;
  answer: Promise<Probe | undefined>;
  /** It is being asked again. */
  isAsked: boolean;
}

/** A service is asked again after this, while the answer that is known is shown. */
const PROBE_EVERY_MS = 5_000;

/** The answers of services, kept by one who looks again and again: a service that hangs delays him once. */
export class Probes {
  readonly #known = new Map<string, Asked>();

  of(instance: string): Promise<Probe | undefined> {
    const known = this.#known.get(instance);
    if (known === undefined) {
      const answer = probe(instance);
      this.#known.set(instance, { atMs: performance.now(), answer, isAsked: false });
      return answer;
    }
    if (!known.isAsked && performance.now() - known.atMs >= PROBE_EVERY_MS)
      void this.#askAgain(known, instance);
    return known.answer;
  }

  /** Forgets those that are gone: an instance may have another name after each start. */
  keep(instances: ReadonlySet<string>): void {
    for (const instance of this.#known.keys()) if (!instances.has(instance)) this.#known.delete(instance);
  }

  async #askAgain(known: Asked, instance: string): Promise<void> {
    known.isAsked = true;
    const answer = await probe(instance);
    Object.assign(known, { atMs: performance.now(), answer: Promise.resolve(answer), isAsked: false });
  }
}

async function probe(instance: string): Promise<Probe | undefined> {
  const http = httpOf(instance);
  if (http === undefined) return undefined;
  const get = async (path: string) => (await http(path)).json();
  try {
    const [alive, ready] = await Promise.all([get("/healthz"), get("/readyz")]);
    const { problems } = readiness.parse(ready);
    return { ready: problems.length === 0, build: health.safeParse(alive).data ?? null, problems };
  } catch (error) {
    const port = instance.slice(instance.lastIndexOf(":") + 1);
    return { ready: false, build: null, problems: [`port ${port}: ${(error as Error).message}`] };
  }
}
