// A release: the closure of one service at a git tag, its production dependencies with the Node that runs it, and its
// unit and env file. Built beside its place and renamed into it, so that a half-built one is never taken for one.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

/** @throws {Error} if there is no such tag, or its service does not even start to say `--help` */
export function buildRelease({ service, version, releases, unit }) {
  const commit = git("rev-parse", "--verify", "--quiet", `refs/tags/${version}^{commit}`);
  console.log(`building ${service} ${version} (${commit.slice(0, 12)})`);
  const work = join(releases, `.building-${version}`);
  const source = join(work, "source");
  const release = join(work, "release");
  rmSync(work, { recursive: true, force: true });
  mkdirSync(source, { recursive: true });

  git("archive", "--output", join(work, "source.tar"), commit);
  run("tar", ["-xf", join(work, "source.tar"), "-C", source]);
  run(process.execPath, [join(source, "ops/install/closure.mjs"), service, release, source]);
  for (const path of [unit.file, unit.envFile]) {
    cpSync(join(source, "ops/systemd", path), join(release, "ops/systemd", path));
  }
  // The root as well: Node is its dependency.
  const filters = ["--filter-prod", ".", "--filter-prod", `@quantum/${service}...`];
  run("npx", ["-y", "pnpm@12", "--dir", release, "install", "--frozen-lockfile", "--prod", ...filters]);
  const node = join(release, "node_modules/.bin/node");
  if (!existsSync(node)) throw new Error(`${version} brings no Node for ${process.platform}-${process.arch}`);
  run(node, [join(release, "services", service, "src/main.ts"), "--help"]);

  renameSync(release, join(releases, version));
  rmSync(work, { recursive: true });
}

function git(...args) {
  try {
    return run("git", ["-C", REPOSITORY, ...args]).trim();
  } catch (error) {
    throw new Error(`git ${args.join(" ")} failed${error.stderr ? `: ${error.stderr}` : ": no such tag?"}`, {
      cause: error,
    });
  }
}

/** Quiet unless it fails. */
function run(command, args) {
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
