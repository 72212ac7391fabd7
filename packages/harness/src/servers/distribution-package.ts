/**
 * Unpacks a package of the Linux distribution into a private folder. Needs no root and changes nothing in the system.
 *
 * Apt uses its own package lists and cache below that folder, so neither root nor a fresh `apt-get update` is needed.
 * It also resolves libraries that the machine lacks.
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

/** A network that does not answer must not block the start for ever. */
const APT_TIMEOUT_MS = 120_000;

/** Where a folder is that the commands had compiled in. */
const DATA = "data";

export interface DistributionPackage {
  name: string;
  /** The commands to run from it. */
  commands: readonly string[];
  /** Commands that have another name in the package: link → file, both in `usr/bin`. */
  links?: Readonly<Record<string, string>>;
  /** A folder of the package that its commands look for at this absolute path, compiled in. */
  compiledIn?: string;
}

/**
 * Returns the folder with the package's commands, after downloading it below `cacheDir` if needed. Processes may call
 * it concurrently: each unpacks into its own folder, and the first to rename it wins. Throws with the error from apt or
 * dpkg.
 */
export async function unpackPackage(
  { name, commands, links = {}, compiledIn }: DistributionPackage,
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
    // A package without libraries lacks this folder.
    await mkdir(join(root, "usr/lib"), { recursive: true });
    for (const file of await download(name, work)) await run("dpkg-deb", ["-x", file, root]);
    if (compiledIn !== undefined) await rename(join(root, compiledIn), join(root, DATA));
    // Documentation; Prometheus's includes 200 MB of web libraries.
    await rm(join(root, "usr/share"), { recursive: true, force: true });
    for (const [link, file] of Object.entries(links)) await symlink(file, join(root, "usr/bin", link));
    for (const command of commands) {
      const runsInData =
        compiledIn !== undefined && (await makeRelative(join(root, "usr/bin", command), compiledIn));
      await writeWrapper(root, command, runsInData);
    }
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

/** Apt and dpkg print the cause last. */
export function lastLine(error: unknown): string {
  const text = error instanceof Error ? String(Reflect.get(error, "stderr") || error.message) : String(error);
  return text.trim().split("\n").at(-1) ?? text;
}

/** Distribution, release and processor, because several systems may share a checkout. */
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
      // The locks protect the system's package state, which is only read here.
      "Debug::NoLocking": "1",
    };
    const flags = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    const env = { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
    return run("apt-get", ["-qq", "-y", ...flags, ...args], { env, timeout: APT_TIMEOUT_MS });
  };
  await apt("update");
  // --reinstall: if the system has the package, we still need its files in our folder.
  await apt("install", "--download-only", "--no-install-recommends", "--reinstall", name);
  const archives = join(cache, "archives");
  return (await readdir(archives))
    .filter((name) => name.endsWith(".deb"))
    .map((name) => join(archives, name));
}

/**
 * Replaces the path in the program by one of the same length that means the working folder. Returns whether the program
 * has it.
 */
async function makeRelative(program: string, path: string): Promise<boolean> {
  const bytes = await readFile(program);
  const here = Buffer.from(".".padEnd(path.length, "/"));
  let at = bytes.indexOf(path);
  const found = at >= 0;
  for (; at >= 0; at = bytes.indexOf(path, at)) here.copy(bytes, at);
  if (found) await writeFile(program, bytes);
  return found;
}

/** Writes a wrapper that finds the libraries next to it, wherever the folder is. `exec` keeps the pid. */
async function writeWrapper(root: string, command: string, runsInData: boolean): Promise<void> {
  const libraries = (await readdir(join(root, "usr/lib"), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.name.includes(".so"))
    .map((entry) => entry.parentPath.slice(root.length));
  const path = [...new Set(libraries)].map((folder) => `$root${folder}`).join(":");
  const enter = runsInData ? `cd "$root/${DATA}" || exit\n` : "";
  const script = `#!/bin/sh\nroot=\${0%/*}\n${enter}LD_LIBRARY_PATH="${path}" exec "$root/usr/bin/${command}" "$@"\n`;
  await writeFile(join(root, command), script);
  await chmod(join(root, command), 0o755);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
