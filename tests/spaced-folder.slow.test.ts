/**
 * Works wherever it lies and whoever runs it: a copy of this checkout in a folder whose path has a space, with the tests
 * that build command lines, options of Node and settings from paths, as another user than root where we are root.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, lstatSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const COPY_TIMEOUT_MS = 120_000;
const RUN_TIMEOUT_MS = 300_000;

/** Those that meet the path in another form than as an argument of its own. */
const AFFECTED = [
  "tests/chaos.test.ts",
  "tests/launcher.test.ts",
  "tests/ops-hosts.test.ts",
  "services/permitctl/src/process.test.ts",
  "packages/testkit/src",
  "scripts/start",
  "scripts/flaky",
];

let outer = "";
let checkout = "";
beforeAll(async () => {
  outer = await mkdtemp(join(tmpdir(), "quantum-"));
  checkout = join(outer, "a b", "permit pipeline");
  await copyCheckout(checkout);
}, COPY_TIMEOUT_MS);
afterAll(() => rm(outer, { recursive: true, force: true }), COPY_TIMEOUT_MS);

async function copyCheckout(target: string): Promise<void> {
  const list = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: ROOT,
  });
  const files = String(list)
    .split("\0")
    .filter((file) => file !== "");
  for (const file of files) await cp(join(ROOT, file), join(target, file), { verbatimSymlinks: true });
  const packages = files.filter((file) => basename(file) === "package.json");
  for (const modules of packages.map((file) => join(dirname(file), "node_modules"))) {
    if (lstatSync(join(ROOT, modules), { throwIfNoEntry: false }) === undefined) continue;
    // Links where the file system allows it: the copy is only read.
    const copied = ["-al", "-a"].some(
      (how) => spawnSync("cp", [how, join(ROOT, modules), join(target, modules)]).status === 0,
    );
    if (!copied) throw new Error(`${modules} cannot be copied`);
  }
}

/** Who runs it: files that only root may write to, and rights that root does not need, show with another one only. */
function asSomebodyElse(): string[] {
  if (process.getuid?.() !== 0 || spawnSync("setpriv", ["--version"]).status !== 0) return [];
  // Folders and our own files, not the linked ones: they are the checkout's, too.
  for (let folder = checkout; folder.length >= outer.length; folder = dirname(folder))
    chmodSync(folder, 0o755);
  execFileSync("find", [outer, "-type", "d", "-exec", "chown", "nobody", "{}", "+"]);
  execFileSync("find", [
    outer,
    "-name",
    "node_modules",
    "-prune",
    "-o",
    "-exec",
    "chown",
    "-h",
    "nobody",
    "{}",
    "+",
  ]);
  return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"];
}

it(
  "passes its tests in a folder whose path has a space, as another user than root",
  { timeout: RUN_TIMEOUT_MS },
  async () => {
    const home = join(outer, "a b", "home");
    const temporary = join(outer, "a b", "tmp");
    for (const folder of [home, temporary]) await mkdir(folder);
    const words = [...asSomebodyElse(), join(checkout, "node_modules/.bin/vitest"), "run", ...AFFECTED];
    const child = spawn(words[0] ?? "", words.slice(1), {
      cwd: checkout,
      env: {
        PATH: `${join(checkout, "node_modules/.bin")}:${process.env["PATH"]}`,
        HOME: home,
        TMPDIR: temporary,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += String(chunk)));
    const [code] = await once(child, "close");
    expect(code === 0 ? "passed" : said).toBe("passed");
    expect(await readdir(checkout)).toContain("node_modules");
  },
);
