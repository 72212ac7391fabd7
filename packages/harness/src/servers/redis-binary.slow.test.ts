import { execFile, execFileSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";

const run = promisify(execFile);
const FETCH_TIMEOUT_MS = 120_000;

function hasApt(): boolean {
  try {
    execFileSync("apt-get", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("findRedisServer", () => {
  it.runIf(hasApt())(
    "lets two processes fetch the package at once",
    { timeout: FETCH_TIMEOUT_MS },
    async () => {
      const cacheDir = await mkdtemp(join(tmpdir(), "quantum cache "));
      onTestFinished(() => rm(cacheDir, { recursive: true, force: true }));
      const module = (name: string) => JSON.stringify(pathToFileURL(join(import.meta.dirname, name)).href);
      const script = `
      const { unpackPackage } = await import(${module("distribution-package.ts")});
      const { REDIS_PACKAGE } = await import(${module("redis-binary.ts")});
      console.log(await unpackPackage(REDIS_PACKAGE, ${JSON.stringify(cacheDir)}, () => {}));
    `;
      const fetch = () => run(process.execPath, ["--input-type=module", "--eval", script]);
      const [one, two] = await Promise.all([fetch(), fetch()]);

      const folder = one.stdout.trim();
      expect(two.stdout.trim()).toBe(folder);
      expect((await run(join(folder, "redis-server"), ["--version"])).stdout).toMatch(/v=\d+\./);
      expect(await readdir(cacheDir)).toHaveLength(1);
    },
  );
});
