/**
 * A package of the distribution, unpacked into a private folder: no root, and nothing of the system changes.
 *
 * apt works on package lists and a cache of its own below the folder, so that neither root nor a fresh
 * `apt-get update` is needed, and resolves what this machine lacks of the package's libraries.
 */
import { execFile } from "node:child_process";
import {
  access,
  chmod,
  constants,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A network that answers nothing must not hang the start for ever. */
const APT_TIMEOUT_MS = 120_000;

export interface DistributionPackage {
  name: string;
  /** What is run from it. */
  commands: readonly string[];
  /** Commands that the package has under another name: link → file, both in `usr/bin`. */
  links?: Readonly<Record<string, string>>;
}

/**
 * The folder with the package's commands, fetched below `cacheDir` if it is not there yet.
 * Safe for callers in several processes: each unpacks into a folder of its own, the first to rename it wins.
 * Throws what apt or dpkg said.
 */
export async function unpackPackage(
  { name, commands, links = {} }: DistributionPackage,
  cacheDir: string,
  onProgress: (text: string) => void,
): Promise<string> {
  const target = join(cacheDir, await systemName());
  if (await exists(target)) return target;

  onProgress(`fetching ${commands.join(" and ")} (the distribution's package ${name}, a few seconds)`);
  await mkdir(cacheDir, { recursive: true });
  const work = await mkdtemp(join(cacheDir, "unpack-"));
  try {
    const root = join(work, "root");
    // A package without libraries has no such folder.
    await mkdir(join(root, "usr/lib"), { recursive: true });
    for (const file of await download(name, work)) await run("dpkg-deb", ["-x", file, root]);
    // Documentation, and in Prometheus's case 200 MB of web libraries.
    await rm(join(root, "usr/share"), { recursive: true, force: true });
    for (const [link, file] of Object.entries(links)) await symlink(file, join(root, "usr/bin", link));
    for (const command of commands) await writeWrapper(root, command);
    await rename(root, target).catch(async (error: unknown) => {
      if (!(await exists(target))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return target;
}

export async function onPath(command: string): Promise<string | undefined> {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    if (folder !== "" && (await isExecutable(join(folder, command)))) return join(folder, command);
  }
  return undefined;
}

export function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The line that tells the cause comes last in what apt and dpkg print. */
export function lastLine(error: unknown): string {
  const text = error instanceof Error ? String(Reflect.get(error, "stderr") || error.message) : String(error);
  return text.trim().split("\n").at(-1) ?? text;
}

/** Distribution, release and processor: a checkout may be mounted into several systems. */
async function systemName(): Promise<string> {
  const release = await readFile("/etc/os-release", "utf8");
  const field = (name: string) => new RegExp(`^${name}="?([^"\n]*)`, "m").exec(release)?.[1] ?? "unknown";
  return `${field("ID")}-${field("VERSION_ID")}-${process.arch}`;
}

async function download(name: string, work: string): Promise<string[]> {
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
  // --reinstall: where the package is installed, its files are still needed in a folder of ours.
  await apt("install", "--download-only", "--no-install-recommends", "--reinstall", name);
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
