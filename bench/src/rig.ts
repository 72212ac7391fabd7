/** The processes of one measurement: a private Redis and the programs that use it. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import {
  endProcess,
  freePort,
  type GuardedProcess,
  launch,
  startRedisCluster,
  startRedisServer,
  underOwnUser,
} from "@quantum/harness";
import { type Environment, type ServiceName, serviceOf } from "@quantum/topology";

const ROOT = join(import.meta.dirname, "../..");
const START_TIMEOUT_MS = 30_000;
/** `USER_HZ`, which is 100 on every Linux. */
const TICKS_PER_SEC = 100;
/** Fields of /proc/PID/stat after the command's name: utime and stime. */
const UTIME = 11;
const PAGE_BYTES = 4096;

export interface RigOptions {
  appendfsync: "everysec" | "always";
  /** Redis is a cluster without replicas, whose users may do what so many partitions need. Default: one server that is no cluster. */
  cluster?: { masters: number; partitions: number };
}

interface Server {
  /** As its figures are named. */
  readonly name: string;
  readonly client: RedisClient;
  readonly pid: number;
}

interface Place {
  readonly url: string;
  readonly dir: string;
  readonly servers: readonly [Server, ...Server[]];
  readonly stop: () => Promise<unknown>;
}

export class Rig {
  readonly #place: Place;
  readonly #children = new Map<string, GuardedProcess>();

  private constructor(place: Place) {
    this.#place = place;
  }

  static async start({ appendfsync, cluster }: RigOptions): Promise<Rig> {
    return new Rig(
      await (cluster === undefined ? startOne(appendfsync) : startCluster(appendfsync, cluster)),
    );
  }

  /** Of Redis. */
  get url(): string {
    return this.#place.url;
  }

  /** Files of this run. */
  get dir(): string {
    return this.#place.dir;
  }

  /** Of Redis, in a cluster its masters. */
  get servers(): readonly [Server, ...Server[]] {
    return this.#place.servers;
  }

  /** To the first of the servers. */
  get client(): RedisClient {
    return this.servers[0].client;
  }

  /**
   * Starts one of the repository's services.
   * @returns its URL
   */
  async startService(name: ServiceName, env: Environment, shownAs: string = name): Promise<string> {
    const port = await freePort();
    const { portVariable } = serviceOf(name);
    await this.startProgram(shownAs, `services/${name}/src/main.ts`, {
      ...underOwnUser(name, env),
      [portVariable]: String(port),
    });
    return `http://127.0.0.1:${port}`;
  }

  /** Resolves once it logs `ready`. Later output is discarded. */
  async startProgram(name: string, main: string, env: Record<string, string>): Promise<void> {
    const { ignoreOutput } = await launch({
      name,
      main: join(ROOT, main),
      env: { REDIS_URL: this.url, ...env },
      startTimeoutMs: START_TIMEOUT_MS,
      onSpawn: (child) => this.#children.set(name, child),
    });
    // Reading its logs would take CPU time from the generator in this process.
    ignoreOutput();
  }

  async stopProgram(name: string): Promise<void> {
    const child = this.#children.get(name);
    if (child !== undefined) await endProcess(child, "SIGKILL");
  }

  /** Stops all programs, but not Redis. */
  async stopPrograms(): Promise<void> {
    await Promise.all([...this.#children.keys()].map((name) => this.stopProgram(name)));
    this.#children.clear();
  }

  /** CPU seconds and resident bytes of each process so far. */
  async usage(): Promise<Map<string, { cpuSec: number; rssBytes: number }>> {
    const pids = new Map([
      ...this.servers.map(({ name, pid }) => [name, pid] as const),
      ["bench", process.pid] as const,
    ]);
    for (const [name, child] of this.#children) if (child.pid !== undefined) pids.set(name, child.pid);
    const entries = [...pids].map(async ([name, pid]) => [name, await usageOf(pid)] as const);
    return new Map(await Promise.all(entries));
  }

  /** Calls of each Redis command so far, including those in scripts, at all servers. */
  async commandCalls(): Promise<Map<string, number>> {
    const calls = new Map<string, number>();
    for (const stats of await this.#info("commandstats"))
      for (const [, name = "", count] of stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm))
        calls.set(name, (calls.get(name) ?? 0) + Number(count));
    return calls;
  }

  /** Time that all servers have spent in scripts so far, in µs. */
  async scriptUs(): Promise<number> {
    const spent = (await this.#info("commandstats")).map((stats) =>
      Number(/^cmdstat_evalsha:calls=\d+,usec=(\d+)/m.exec(stats)?.[1] ?? 0),
    );
    return sum(spent);
  }

  /** Of all servers together. */
  async infoNumber(section: string, field: string): Promise<number> {
    const pattern = new RegExp(`^${field}:(\\S+)`, "m");
    return sum((await this.#info(section)).map((text) => Number(pattern.exec(text)?.[1])));
  }

  #info(section: string): Promise<string[]> {
    return Promise.all(this.servers.map(({ client }) => client.info(section)));
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map(({ client }) => disconnect(client)));
    await this.stopPrograms();
    await this.#place.stop();
  }
}

async function startOne(appendfsync: RigOptions["appendfsync"]): Promise<Place> {
  const redis = await startRedisServer({ appendonly: true, appendfsync });
  const { url, dir, pid } = redis;
  return { url, dir, servers: [{ name: "redis", client: connectTo(url), pid }], stop: () => redis.stop() };
}

async function startCluster(
  appendfsync: RigOptions["appendfsync"],
  size: NonNullable<RigOptions["cluster"]>,
): Promise<Place> {
  const cluster = await startRedisCluster({ ...size, config: { appendonly: "yes", appendfsync } });
  const dir = await mkdtemp(join(tmpdir(), "quantum-bench-"));
  const servers = await Promise.all(
    cluster.ports.map(async (port, index) => {
      const client = connectTo(`redis://127.0.0.1:${port}`);
      const pid = Number(/^process_id:(\d+)/m.exec(await client.info("server"))?.[1]);
      return { name: `redis ${index + 1}`, client, pid };
    }),
  );
  return {
    url: cluster.url,
    dir,
    servers: servers as [Server, ...Server[]],
    stop: async () => {
      await cluster.stop();
      await rm(dir, { recursive: true });
    },
  };
}

function connectTo(url: string): RedisClient {
  return connectForCommands({ url, name: "bench", onError: () => undefined });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

async function usageOf(pid: number): Promise<{ cpuSec: number; rssBytes: number }> {
  const [stat, statm] = await Promise.all([
    readFile(`/proc/${pid}/stat`, "utf8"),
    readFile(`/proc/${pid}/statm`, "utf8"),
  ]);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[UTIME]) + Number(fields[UTIME + 1]);
  return { cpuSec: ticks / TICKS_PER_SEC, rssBytes: Number(statm.split(" ")[1]) * PAGE_BYTES };
}
