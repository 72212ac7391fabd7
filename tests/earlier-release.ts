/** A tree of this repository's history, installed from its own lockfile, whose services a test runs beside today's. */
import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "..");
const RELEASES = join(ROOT, ".cache/releases");
/** Downloads included: a fresh clone has only what its own install has fetched. */
const INSTALL_MS = 90_000;
const OUTPUT_MAX = 64 * 1024 * 1024;

/** @returns why the commit cannot be had here, or undefined if it can */
export async function whyAbsent(commit: string): Promise<string | undefined> {
  try {
    await run("git", ["cat-file", "-e", `${commit}^{commit}`], { cwd: ROOT });
    return undefined;
  } catch {
    return `this clone lacks commit ${commit} (a shallow clone, or no clone): git fetch --unshallow`;
  }
}

/** @returns the folder of the commit's tree, ready to run; made once for each checkout */
export async function earlierRelease(commit: string): Promise<string> {
  const folder = join(RELEASES, commit);
  if (await exists(folder)) return folder;
  await mkdir(RELEASES, { recursive: true });
  // Elsewhere first: whatever ends half-way is not taken for a release.
  const unfinished = await mkdtemp(join(RELEASES, `${commit}-`));
  try {
    const archive = join(unfinished, "tree.tar");
    await run("git", ["archive", "--output", archive, commit], { cwd: ROOT });
    await run("tar", ["-xf", archive, "-C", unfinished]);
    await rm(archive);
    await run(
      "npx",
      ["-y", "pnpm@12", "install", "--prod", "--frozen-lockfile", "--prefer-offline", "--ignore-scripts"],
      { cwd: unfinished, env: { ...process.env, CI: "true" }, timeout: INSTALL_MS, maxBuffer: OUTPUT_MAX },
    );
    await rename(unfinished, folder);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Somebody else was quicker.
    if (!(await exists(folder))) throw error;
  }
  return folder;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
