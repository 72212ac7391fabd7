/**
 * Which build of the code this process runs. A release on a host, or an image, has a `build.json`, which the installer
 * or the Dockerfile wrote. In a checkout, git is asked.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Gauge, type Registry } from "prom-client";
import { z } from "zod";

const ROOT = join(import.meta.dirname, "../../..");
/** Digits of a commit id; git adds more if needed to be unique. */
const SHOWN_DIGITS = 12;

export interface Build {
  /** The whole repository's: its packages have no versions of their own. */
  version: string;
  /** Ends in `-dirty` if the checkout has local changes; `unknown` if it cannot be determined. */
  commit: string;
}

let known: Build | undefined;

/** Read on the first call: git is too slow for most starts. */
export function build(): Build {
  known ??= readBuild(ROOT);
  return known;
}

/** `1.2.0 (commit 0123456789ab)`, as `--version` says it. */
export function buildText({ version, commit }: Build = build()): string {
  return `${version} (commit ${commit})`;
}

/** @param root the folder of the repository, the release or the image */
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
    help: "always 1; its labels are the version and commit of this service",
    labelNames: ["version", "commit"],
    registers: [registry],
    collect() {
      this.set({ ...build() }, 1);
    },
  });
}

function commitOfCheckout(root: string): string {
  // Without this check, git would search the parent folders.
  if (!existsSync(join(root, ".git"))) return "unknown";
  const args = ["-C", root, "describe", "--always", "--dirty", `--abbrev=${SHOWN_DIGITS}`, "--exclude=*"];
  try {
    return execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "unknown";
  }
}
