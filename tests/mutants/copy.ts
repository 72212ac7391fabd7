/** A copy of the repository in which bugs can be planted: tracked files as they are now, dependencies by link. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Edit } from "./mutant.ts";

const run = promisify(execFile);

export async function copyRepository(root: string, copy: string): Promise<void> {
  const { stdout } = await run("git", ["ls-files", "-z"], { cwd: root });
  // What is deleted but not committed is listed too.
  const files = stdout.split("\0").filter((file) => file !== "" && existsSync(join(root, file)));
  for (const folder of new Set(files.map(dirname))) await mkdir(join(copy, folder), { recursive: true });
  await Promise.all(files.map((file) => copyFile(join(root, file), join(copy, file))));
  const packages = files.filter((file) => basename(file) === "package.json").map(dirname);
  await Promise.all(packages.map((folder) => linkDependencies(join(root, folder), join(copy, folder))));
  await symlink(join(root, "node_modules/.pnpm"), join(copy, "node_modules/.pnpm"));
  // Where a machine has no redis-server of its own, it is here.
  if (existsSync(join(root, ".cache"))) await symlink(join(root, ".cache"), join(copy, ".cache"));
}

/**
 * pnpm's links are relative, so copied as they are they lead to the copy's packages, and to its `.pnpm`. What tools
 * keep there (`.pnpm` too) has names that begin with a dot.
 */
async function linkDependencies(from: string, to: string): Promise<void> {
  if (!existsSync(join(from, "node_modules"))) return;
  await cp(join(from, "node_modules"), join(to, "node_modules"), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !/^\.(?!bin$)/.test(basename(path)),
  });
}

/** @throws Error if the text is not found exactly once: then the product has changed and the bug must follow it */
export function plantIn(text: string, { file, find, replace }: Edit): string {
  const [before, after, ...more] = text.split(find);
  if (before === undefined || after === undefined || more.length > 0) {
    const found = after === undefined ? "not there" : `there ${more.length + 1} times`;
    throw new Error(`${file}: the text to change must be there exactly once, it is ${found}: ${find}`);
  }
  return `${before}${replace}${after}`;
}

/** @returns undoes it */
export async function plant(folder: string, edits: readonly Edit[]): Promise<() => Promise<void>> {
  const originals = new Map<string, string>();
  for (const edit of edits) {
    const path = join(folder, edit.file);
    const text = await readFile(path, "utf8");
    if (!originals.has(path)) originals.set(path, text);
    await writeFile(path, plantIn(text, edit));
  }
  return async () => {
    for (const [path, text] of originals) await writeFile(path, text);
  };
}
