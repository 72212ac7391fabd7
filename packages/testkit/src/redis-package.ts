/**
 * The distribution's own redis-server, unpacked into a private folder: no root, and nothing of the system changes.
 *
 * apt works on package lists and a cache of its own below the folder, so that neither root nor a fresh
 * `apt-get update` is needed, and resolves what this machine lacks of the package's libraries. The package is
 * redis-tools: its `redis-check-rdb` is the server's own binary, which acts by the name it is called by, and unlike
 * redis-server's package it starts no service.
 */
import { execFile } from "node:child_process";
import {
  access,
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const PACKAGE = "redis-tools";
/** A network that answers nothing must not hang the start for ever. */
const APT_TIMEOUT_MS = 120_000;

/**
 * The folder with `redis-server` and `redis-cli`, fetched below `cacheDir` if it is not there yet.
 * Safe for callers in several processes: each unpacks into a folder of its own, the first to rename it wins.
 * Throws what apt or dpkg said.
 */
export async function unpackRedisPackage(
  cacheDir: string,
  onProgress: (text: string) => void,
): Promise<string> {
  const target = join(cacheDir, await systemName());
  if (await exists(target)) return target;

  onProgress("fetching redis-server (the distribution's package, a few seconds)");
  await mkdir(cacheDir, { recursive: true });
  const work = await mkdtemp(join(cacheDir, "unpack-"));
  try {
    const root = join(work, "root");
    for (const file of await download(work)) await run("dpkg-deb", ["-x", file, root]);
    await symlink("redis-check-rdb", join(root, "usr/bin/redis-server"));
    await writeWrapper(root, "redis-server");
    await writeWrapper(root, "redis-cli");
    await rename(root, target).catch(async (error: unknown) => {
      if (!(await exists(target))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return target;
}

/** Distribution, release and processor: a checkout may be mounted into several systems. */
async function systemName(): Promise<string> {
  const release = await readFile("/etc/os-release", "utf8");
  const field = (name: string) => new RegExp(`^${name}="?([^"\n]*)`, "m").exec(release)?.[1] ?? "unknown";
  return `${field("ID")}-${field("VERSION_ID")}-${process.arch}`;
}

async function download(work: string): Promise<string[]> {
  const lists = join(work, "lists");
  const cache = join(work, "cache");
  await mkdir(join(lists, "partial"), { recursive: true });
  await mkdir(join(cache, "archives/partial"), { recursive: true });
  const apt = (...args: string[]) => {
    const options = {
      "Dir::State::lists": lists,
      "Dir::Cache": cache,
      // As root, apt would download as the user _apt, who may not write here.
      "APT::Sandbox::User": "root",
      // The locks are for the system's package state, which is only read.
      "Debug::NoLocking": "1",
    };
    const flags = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    const env = { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
    return run("apt-get", ["-qq", "-y", ...flags, ...args], { env, timeout: APT_TIMEOUT_MS });
  };
  await apt("update");
  // --reinstall: a machine that has redis-tools still lacks the server under its name.
  await apt("install", "--download-only", "--no-install-recommends", "--reinstall", PACKAGE);
  const archives = join(cache, "archives");
  return (await readdir(archives))
    .filter((name) => name.endsWith(".deb"))
    .map((name) => join(archives, name));
}

/** A command that finds its libraries beside itself, wherever the folder lies. `exec` keeps the pid. */
async function writeWrapper(root: string, command: string): Promise<void> {
  const libraries = (await readdir(join(root, "usr/lib"), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.name.includes(".so"))
    .map((entry) => entry.parentPath.slice(root.length));
  const path = [...new Set(libraries)].map((folder) => `$root${folder}`).join(":");
  const script = `#!/bin/sh\nroot=\${0%/*}\nLD_LIBRARY_PATH="${path}" exec "$root/usr/bin/${command}" "$@"\n`;
  await writeFile(join(root, command), script);
  await chmod(join(root, command), 0o755);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
