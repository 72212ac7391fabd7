// A release: the closure of one service, or of permitctl, at a tag or commit, its production dependencies with the Node that
// runs it, and a service's unit and env file. Built beside its place and renamed into it, so that a half-built one is never taken for one.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

/** Of a commit's name in a release's. */
const SHOWN_DIGITS = 12;

/**
 * A tag's release has the tag's name. Any other name of a commit, such as HEAD, may name another one tomorrow, so that the
 * release has the commit's.
 * @param {string} version
 * @returns {{ version: string, commit: string }}
 * @throws {Error} if there is no such tag or commit
 */
export function releaseOf(version) {
  const tagged = resolved(`refs/tags/${version}`);
  if (tagged !== undefined) return { version, commit: tagged };
  const commit = resolved(version);
  if (commit === undefined) {
    throw new Error(`VERSION=${version}: no such tag or commit in ${REPOSITORY}: git fetch --tags?`);
  }
  return { version: commit.slice(0, SHOWN_DIGITS), commit };
}

/**
 * @param {{ name: string, entry: string, files: string[], version: string, commit: string, releases: string }} options
 * `files` are those below ops/systemd that belong to it
 * @throws {Error} if it does not even start to say `--help`
 */
export function buildRelease({ name, entry, files, version, commit, releases }) {
  console.log(`building ${name} ${version} (commit ${commit.slice(0, SHOWN_DIGITS)})`);
  const work = join(releases, `.building-${version}`);
  const source = join(work, "source");
  const release = join(work, "release");
  rmSync(work, { recursive: true, force: true });
  mkdirSync(source, { recursive: true });

  git("archive", "--output", join(work, "source.tar"), commit);
  run("tar", ["-xf", join(work, "source.tar"), "-C", source]);
  run(process.execPath, [join(source, "ops/install/closure.mjs"), name, release, source]);
  for (const path of files) {
    cpSync(join(source, "ops/systemd", path), join(release, "ops/systemd", path));
  }
  const build = { commit: commit.slice(0, SHOWN_DIGITS) };
  writeFileSync(join(release, "build.json"), `${JSON.stringify(build)}\n`);
  // The root as well: Node is its dependency.
  const filters = ["--filter-prod", ".", "--filter-prod", `@quantum/${name}...`];
  run("npx", ["-y", pnpmOf(source), "--dir", release, "install", "--frozen-lockfile", "--prod", ...filters]);
  const node = join(release, "node_modules/.bin/node");
  if (!existsSync(node)) throw new Error(`${version} brings no Node for ${process.platform}-${process.arch}`);
  run(node, [join(release, entry), "--help"]);

  renameSync(release, join(releases, version));
  rmSync(work, { recursive: true });
}

/**
 * @param {string} commit
 * @param {string} path
 */
export function hasFile(commit, path) {
  return git("ls-tree", "--name-only", commit, "--", path) !== "";
}

/**
 * @param {string} name
 * @returns {string | undefined} the commit's whole name
 */
function resolved(name) {
  try {
    return git("rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`);
  } catch {
    return undefined;
  }
}

/**
 * The version that the commit names, so that a release is built by the same one tomorrow.
 * @param {string} source
 * @returns {string}
 */
function pnpmOf(source) {
  const { packageManager } = JSON.parse(readFileSync(join(source, "package.json"), "utf8"));
  // Without the hash, which npx does not take. Commits of before it was named were built by any 12.
  return packageManager?.split("+")[0] ?? "pnpm@12";
}

/** @param {string[]} args */
function git(...args) {
  return run("git", ["-C", REPOSITORY, ...args]).trim();
}

/**
 * Quiet unless it fails.
 * @param {string} command
 * @param {string[]} args
 */
function run(command, args) {
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
