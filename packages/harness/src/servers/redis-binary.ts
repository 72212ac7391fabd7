/** Finds a real redis-server: on the PATH, or from the distribution's package, unpacked below `.cache/redis`. */
import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import {
  type DistributionPackage,
  isExecutable,
  lastLine,
  onPath,
  unpackPackage,
} from "./distribution-package.ts";

const run = promisify(execFile);

/**
 * `redis-check-rdb` is the same binary as redis-server; its name selects what it does. Unlike the redis-server package,
 * this package starts no service.
 */
export const REDIS_PACKAGE: DistributionPackage = {
  name: "redis-tools",
  commands: ["redis-server", "redis-cli"],
  links: { "redis-server": "redis-check-rdb" },
};
const CACHE_DIR = join(import.meta.dirname, "../../../../.cache/redis");
/** The minimum for the Lua scripts; Debian 12 ships it. */
const OLDEST_MAJOR = 7;

export interface RedisBinary {
  /** redis-server or valkey-server. Needs no special environment. */
  path: string;
  /** The client next to it, if there is one. */
  cli: string | undefined;
  /** For example `7.0.15`. */
  version: string;
  origin: "path" | "package";
}

export interface FindRedisOptions {
  /** Where the package is unpacked. Default: `.cache/redis` in this checkout. */
  cacheDir?: string;
  /** Called with a short message before something that takes seconds. */
  onProgress?: (text: string) => void;
}

/**
 * Finds Redis 7 or later, or Valkey: on the PATH; otherwise, on Debian and Ubuntu, from the distribution's package.
 * Throws an error with a one-line message that says what to install.
 */
export async function findRedisServer(options: FindRedisOptions = {}): Promise<RedisBinary> {
  const rejected: string[] = [];
  for (const name of ["redis-server", "valkey-server"]) {
    const path = await onPath(name);
    if (path === undefined) continue;
    const version = await versionOf(path);
    if (isRecent(version)) return { path, cli: await clientBeside(path), version, origin: "path" };
    rejected.push(`${path} is ${version}`);
  }

  const apt = process.platform === "linux" ? await onPath("apt-get") : undefined;
  if (apt === undefined) throw new Error(installAdvice(rejected));
  try {
    const folder = await unpackPackage(
      REDIS_PACKAGE,
      options.cacheDir ?? CACHE_DIR,
      options.onProgress ?? (() => {}),
    );
    const path = join(folder, "redis-server");
    const version = await versionOf(path);
    if (isRecent(version)) return { path, cli: await clientBeside(path), version, origin: "package" };
    rejected.push(`the distribution's package is ${version}`);
  } catch (error) {
    rejected.push(`fetching the distribution's package failed, is the network there? ${lastLine(error)}`);
  }
  throw new Error(installAdvice(rejected));
}

async function clientBeside(server: string): Promise<string | undefined> {
  for (const name of ["redis-cli", "valkey-cli"]) {
    const path = join(dirname(server), name);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

async function versionOf(path: string): Promise<string> {
  const { stdout } = await run(path, ["--version"]);
  const version = /v=([0-9.]+)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${path} --version says no version: ${stdout.trim()}`);
  return version;
}

function isRecent(version: string): boolean {
  return Number(version.split(".")[0]) >= OLDEST_MAJOR;
}

function installAdvice(rejected: string[]): string {
  const why = rejected.length === 0 ? "none is on the PATH" : rejected.join("; ");
  const advice =
    process.platform === "darwin"
      ? "run: brew install redis"
      : `install redis-server ${OLDEST_MAJOR} or later with the system's package manager`;
  return `A redis-server is needed (${why}): ${advice}`;
}
