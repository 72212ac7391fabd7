/** Which pipeline a command is about where none is configured; and whose options are whose. */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKeys } from "@quantum/contract";
import { useRedis } from "@quantum/harness/vitest";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import manifest from "../../../package.json" with { type: "json" };
import { runOfCheckout } from "./running.ts";
import { NO_TERMINAL, onTerminal } from "./terminal.fixture.ts";

const ROOT = join(import.meta.dirname, "../../..");
const { server, redis } = await useRedis();

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "quantum-permitctl-"));
  await redis.xgroup("CREATE", createKeys().streams.plan, "governor", "$", "MKSTREAM");
});
afterAll(() => rm(dir, { recursive: true }));

const runs = (pid: number) =>
  writeFile(join(dir, "run.json"), JSON.stringify({ pid, redis: { url: server.url, partitions: 6 } }));
const WINDOW = { columns: 80, rows: 24 };

describe.skipIf(NO_TERMINAL)("without a Redis in the environment", () => {
  const status = async (env: Record<string, string> = {}) => {
    const shown = onTerminal(["status"], { QUANTUM_CACHE_DIR: dir, ...env }, WINDOW);
    return { code: await shown.exited, text: shown.shown() };
  };

  it("a command is about the pipeline that runs from this checkout, and says so", async () => {
    await runs(process.pid);
    const { code, text } = await status();
    expect(code).toBe(0);
    expect(text).toContain("the pipeline that runs from this checkout");
    expect(text).toContain(`at ${server.url}`);
    // A variable that is set decides.
    const { text: other } = await status({ REDIS_URL: `${server.url}/1` });
    expect(other).not.toContain("from this checkout");
  });
});

it("a launcher that was killed has left its file, and is none", async () => {
  await runs(process.pid);
  expect(await runOfCheckout({ QUANTUM_CACHE_DIR: dir })).toMatchObject({
    redisUrl: server.url,
    partitions: 6,
  });
  await runs(spawnSync("true").pid);
  expect(await runOfCheckout({ QUANTUM_CACHE_DIR: dir })).toBeUndefined();
  expect(await runOfCheckout({ QUANTUM_CACHE_DIR: join(dir, "none") })).toBeUndefined();
});

it("`--env-file` is permitctl's own, and not taken by Node", () => {
  const [command = "", ...words] = manifest.scripts.permitctl.split(" ");
  expect(command).toBe("node");
  const args = [...words, "verify", "--env-file", join(dir, "none.env")];
  const { status, stderr } = spawnSync(process.execPath, args, {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", REDIS_URL: server.url },
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({
    status: 2,
    stderr: expect.stringMatching(/^permitctl: --env-file: ENOENT: .*none\.env'\n$/),
  });
});
