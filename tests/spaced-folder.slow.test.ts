/**
 * Works wherever it lies and whoever runs it: a copy of this checkout in a folder whose path has a space, with the tests
 * that build command lines, options of Node and settings from paths, as another user than root where we are root.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { endProcess, spawnGuarded } from "@quantum/harness";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { copyRepository } from "./mutants/copy.ts";

const ROOT = join(import.meta.dirname, "..");
const COPY_TIMEOUT_MS = 120_000;
const RUN_TIMEOUT_MS = 420_000;

/** Those that meet the path in another form than as an argument of its own. */
const AFFECTED = [
  "cli/permitctl/src/process.test.ts",
  "packages/harness/src/processes/process.test.ts",
  "packages/harness/src/servers/redis-server.test.ts",
  "cli/start/src/run-file.test.ts",
];
const AFFECTED_SLOW = [
  "tests/chaos.slow.test.ts",
  "tests/launcher.slow.test.ts",
  "packages/harness/src/processes/child-process.slow.test.ts",
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
  await copyRepository(ROOT, target);
  // Its own and no links: Node lies among the dependencies, and nobody else may write to the checkout's cache.
  const dependencies = "node_modules/.pnpm";
  await rm(join(target, ".cache"), { force: true });
  // Hard links where the file system allows it: they are only read.
  for (const how of ["-al", "-a"]) {
    await rm(join(target, dependencies), { recursive: true, force: true });
    if (spawnSync("cp", [how, join(ROOT, dependencies), join(target, dependencies)]).status === 0) return;
  }
  throw new Error("the dependencies cannot be copied");
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
    const env = {
      PATH: `${join(checkout, "node_modules/.bin")}:${process.env["PATH"]}`,
      HOME: home,
      TMPDIR: temporary,
    };
    const vitest = [...asSomebodyElse(), join(checkout, "node_modules/.bin/vitest"), "run"];
    for (const args of [AFFECTED, ["--config=vitest.slow.config.ts", ...AFFECTED_SLOW]]) {
      const [program = "", ...words] = [...vitest, ...args];
      const child = await spawnGuarded(program, words, { cwd: checkout, env });
      onTestFinished(() => endProcess(child, "SIGTERM"));
      let said = "";
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (chunk) => (said += String(chunk)));
      const [code] = await once(child, "close");
      expect(code === 0 ? "passed" : said).toBe("passed");
    }
  },
);
