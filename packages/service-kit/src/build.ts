/**
 * Which build of the code this process runs. What was made for a host or an image says so in `build.json`, which
 * ops/install/closure.mjs writes; a checkout is asked by git.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const ROOT = join(import.meta.dirname, "../../..");
/** Of a commit's name; git lengthens it where it is not unique. */
const SHOWN_DIGITS = 12;

export interface Build {
  /** That of the whole repository: its packages have no versions of their own. */
  version: string;
  /** With `-dirty` if the checkout has changes of its own; `unknown` where nobody says it. */
  commit: string;
}

let known: Build | undefined;

/** Read when somebody asks first, since asking git takes longer than most starts may. */
export function build(): Build {
  known ??= readBuild(ROOT);
  return known;
}

/** `1.2.0 (commit 0123456789ab)`, as `--version` says it. */
export function buildText({ version, commit }: Build = build()): string {
  return `${version} (commit ${commit})`;
}

/** @param root the folder of the repository, a release or an image */
export function readBuild(root: string): Build {
  const read = <T>(file: string, schema: z.ZodType<T>) =>
    schema.parse(JSON.parse(readFileSync(join(root, file), "utf8")));
  const { version } = read("package.json", z.object({ version: z.string() }));
  const commit = existsSync(join(root, "build.json"))
    ? read("build.json", z.object({ commit: z.string() })).commit
    : commitOfCheckout(root);
  return { version, commit };
}

function commitOfCheckout(root: string): string {
  // Git would look for a repository in the folders above.
  if (!existsSync(join(root, ".git"))) return "unknown";
  const args = ["-C", root, "describe", "--always", "--dirty", `--abbrev=${SHOWN_DIGITS}`, "--exclude=*"];
  try {
    return execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "unknown";
  }
}
