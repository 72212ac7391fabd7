/** A private, real redis-server on a free port, which tests may kill, pause and restart; it has the pipeline's users. */
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endProcess, spawnGuarded, type GuardedProcess } from "../processes/child-process.ts";
import { freePort } from "../processes/free-port.ts";
import { untilLogged } from "../processes/until-logged.ts";
import { findRedisServer, type RedisBinary } from "./redis-binary.ts";
import { createRedisClockShim } from "./redis-clock.ts";
import { testUsers } from "./redis-users.ts";

/** Another process may take the port between the check that it is free and the server's bind. */
const PORT_ATTEMPTS = 5;

export interface RedisServerOptions {
  /** Keep an append-only file, so that data survives kill() and restart(). Default false. */
  appendonly?: boolean;
  /** Default: the server's default, `everysec`. */
  appendfsync?: "always" | "everysec" | "no";
  /** The data folder, kept by stop(). Default: a temporary one, removed by stop(). */
  dir?: string;
  port?: number;
  /** Whether somebody without a name may do everything. Default true; `admin` always may. */
  defaultUser?: boolean;
  /** As in PARTITIONS: which keys the users have rights on. Default 1. */
  partitions?: number;
  /** Whether its wall clock can be stepped; see `canShiftRedisClock`. Default false. */
  clock?: boolean;
  /** Other settings of redis.conf, by name. */
  config?: Record<string, string>;
}

export interface TestRedis {
  readonly port: number;
  /** For example `redis://127.0.0.1:20123`. */
  readonly url: string;
  readonly dir: string;
  readonly binary: RedisBinary;
  /** Of the current process. */
  readonly pid: number;
  /** How the current process ended, once it has. */
  readonly exited: Promise<string>;
  /** Sends SIGTERM; also removes a temporary data folder. */
  stop(): Promise<void>;
  /** Sends SIGKILL: data not yet on disk is lost. restart() starts it again. */
  kill(): Promise<void>;
  /** Starts again on the same port and folder, after a graceful stop if it is still running. */
  restart(): Promise<void>;
  /** Sends SIGSTOP: connections stay open and nothing answers. */
  pause(): void;
  resume(): void;
  /** Requires the option `clock`. Sets its wall clock this many ms ahead of the real time. */
  shiftClock(ms: number): Promise<void>;
}

let binary: Promise<RedisBinary> | undefined;

/** Resolves once the server accepts connections. Throws with the server's last lines if it exits before. */
export async function startRedisServer(options: RedisServerOptions = {}): Promise<TestRedis> {
  const found = await (binary ??= findRedisServer());
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), "quantum-redis-")));
  const removeDir = () => (options.dir === undefined ? rm(dir, { recursive: true, force: true }) : undefined);

  const users = join(dir, "users.acl");
  const { config, defaultUser = true, partitions = 1 } = options;
  await writeFile(users, testUsers(config?.["requirepass"], defaultUser, partitions), { mode: 0o600 });
  const shim = options.clock === true ? await createRedisClockShim(dir) : undefined;
  const launch = (port: number) =>
    spawnReady(
      found,
      ["--port", `${port}`, "--dir", dir, "--aclfile", users, ...settings(options)],
      shim?.env ?? {},
    );
  let server: { port: number; process: GuardedProcess };
  try {
    server = await launchOnFreePort(launch, options.port);
  } catch (error) {
    await removeDir();
    throw error;
  }
  const { port } = server;

  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    dir,
    binary: found,
    get pid() {
      return pidOf(server.process);
    },
    get exited() {
      return howEnded(server.process);
    },
    async stop() {
      await endProcess(server.process, "SIGTERM");
      await removeDir();
    },
    kill: () => endProcess(server.process, "SIGKILL"),
    async restart() {
      await endProcess(server.process, "SIGTERM");
      server = { port, process: await launch(port) };
    },
    pause: () => void server.process.kill("SIGSTOP"),
    resume: () => void server.process.kill("SIGCONT"),
    async shiftClock(ms) {
      if (shim === undefined) throw new Error("started without the option `clock`");
      await shim.shift(ms);
    },
  };
}

async function launchOnFreePort(
  launch: (port: number) => Promise<GuardedProcess>,
  fixedPort: number | undefined,
): Promise<{ port: number; process: GuardedProcess }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = fixedPort ?? (await freePort());
    try {
      return { port, process: await launch(port) };
    } catch (error) {
      const taken = error instanceof Error && error.message.includes("Address already in use");
      if (!taken || fixedPort !== undefined || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

function settings({ appendonly = false, appendfsync, config = {} }: RedisServerOptions): string[] {
  const all: Record<string, string> = {
    bind: "127.0.0.1",
    appendonly: appendonly ? "yes" : "no",
    // No snapshots: only the append-only file keeps data after the process.
    save: "",
    ...(appendfsync === undefined ? {} : { appendfsync }),
    ...config,
  };
  return Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
}

async function spawnReady(
  found: RedisBinary,
  args: string[],
  env: Record<string, string>,
): Promise<GuardedProcess> {
  const child = await spawnGuarded(found.path, args, { env, ending: "watched" });
  await untilLogged(child, "redis-server", "Ready to accept connections");
  return child;
}

async function howEnded(child: GuardedProcess): Promise<string> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return String(child.exitCode ?? child.signalCode);
}

function pidOf(child: GuardedProcess): number {
  if (child.pid === undefined) throw new Error("a spawned process has a pid");
  return child.pid;
}
