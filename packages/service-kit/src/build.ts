/**
 * Which build of the code this process runs. A release on a host and an image say so in `build.json`, which the installer
 * and the Dockerfile write; in a checkout, git is asked.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Gauge, type Registry } from "prom-client";
import { z } from "zod";

const ROOT = join(import.meta.dirname, "../../..");
/** Of a commit's name; git lengthens it where it is not unique. */
const SHOWN_DIGITS = 12;

export interface Build {
  /** That of the whole repository: its packages have no versions of their own. */
  version: string;
  /** With `-dirty` if the checkout has local changes; `unknown` if it cannot be found out. */
  commit: string;
}

let known: Build | undefined;

/** Read at the first request, because asking git takes longer than most starts may. */
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

export function observeBuild(registry: Registry): void {
  new Gauge({
    name: "quantum_build_info",
    help: "1: which version and commit of the code this service runs",
    labelNames: ["version", "commit"],
    registers: [registry],
    collect() {
      this.set({ ...build() }, 1);
    },
  });
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
