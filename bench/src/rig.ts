/** The processes of one measurement: a private Redis and the programs that use it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import {
  endProcess,
  freePort,
  type GuardedProcess,
  launch,
  startRedisServer,
  type TestRedis,
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
}

export class Rig {
  readonly redis: TestRedis;
  readonly client: RedisClient;
  readonly #children = new Map<string, GuardedProcess>();

  private constructor(redis: TestRedis) {
    this.redis = redis;
    this.client = connectForCommands({ url: redis.url, name: "bench", onError: () => undefined });
  }

  static async start({ appendfsync }: RigOptions): Promise<Rig> {
    return new Rig(await startRedisServer({ appendonly: true, appendfsync }));
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
      env: { REDIS_URL: this.redis.url, ...env },
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
      ["redis", this.redis.pid],
      ["bench", process.pid],
    ]);
    for (const [name, child] of this.#children) if (child.pid !== undefined) pids.set(name, child.pid);
    const entries = [...pids].map(async ([name, pid]) => [name, await usageOf(pid)] as const);
    return new Map(await Promise.all(entries));
  }

  /** Calls of each Redis command so far, including those in scripts. */
  async commandCalls(): Promise<Map<string, number>> {
    const stats = await this.client.info("commandstats");
    const calls = [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)];
    return new Map(calls.map(([, name = "", count]) => [name, Number(count)]));
  }

  /** Time that Redis has spent in scripts so far, in µs. */
  async scriptUs(): Promise<number> {
    const stats = await this.client.info("commandstats");
    return Number(/^cmdstat_evalsha:calls=\d+,usec=(\d+)/m.exec(stats)?.[1] ?? 0);
  }

  async infoNumber(section: string, field: string): Promise<number> {
    const text = await this.client.info(section);
    return Number(new RegExp(`^${field}:(\\S+)`, "m").exec(text)?.[1]);
  }

  async stop(): Promise<void> {
    await disconnect(this.client);
    await this.stopPrograms();
    await this.redis.stop();
  }
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
