/** Operators before an exit: their keys, whether the exit is armed, and what a terminal asks. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKeys } from "@quantum/contract";
import { shellWord, urlOfUser } from "@quantum/harness";
import { useRedis } from "@quantum/harness/vitest";
import { loadSigningKey } from "@quantum/signing";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ScriptedExecutor } from "./executor.fixture.ts";
import { permitctl } from "./outcomes.fixture.ts";

const ROOT = join(import.meta.dirname, "../../..");
const WAIT_MS = 1_200;
const keys = createKeys();

const { server, redis } = await useRedis();
let home = "";
let folder = "";
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "quantum-operator-"));
  folder = join(home, ".config/permitctl");
  await mkdir(folder, { recursive: true });
});
afterAll(() => rm(home, { recursive: true }));
beforeEach(async () => {
  await redis.flushall();
});

const run = (...args: string[]) => permitctl(server.url, args);

describe("an operator's key", () => {
  it("is made with its public half in a list of its own, and says where both belong", async () => {
    const { code, stdout, stderr } = await run("keys", "new", "--operator", "alice", "--folder", folder);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect((await readdir(folder)).toSorted()).toEqual(["operator-alice.pem", "operators.json"]);
    expect((await stat(join(folder, "operator-alice.pem"))).mode & 0o777).toBe(0o600);
    const { kid } = await loadSigningKey(join(folder, "operator-alice.pem"));
    const listed: unknown = JSON.parse(await readFile(join(folder, "operators.json"), "utf8"));
    expect(listed).toEqual({ alice: { [kid]: expect.any(String) } });
    expect(stdout).toContain("EXECUTOR_OPERATOR_KEYS_FILE");
    expect(stdout).toContain("permitctl flatten --drill");
  });

  it("is replaced and retired like an issuer's", async () => {
    const { kid: before } = await loadSigningKey(join(folder, "operator-alice.pem"));
    const rotated = await run("keys", "rotate", "--operator", "alice", "--folder", folder);
    expect(rotated.stdout).toContain(
      `permitctl keys rotate --operator alice --folder ${folder} --retire ${before}`,
    );
    const retired = ["keys", "rotate", "--operator", "alice", "--folder", folder, "--retire", before];
    expect(await run(...retired, "--json")).toMatchObject({
      code: 0,
      stdout: `${JSON.stringify({ operator: "alice", retired: before, left: 1 })}\n`,
    });
  });

  it.each([
    [["keys", "new"], "name one: an issuer, or --operator NAME"],
    [["keys", "new", "p33", "--operator", "alice"], "name one: an issuer, or --operator NAME"],
    [["keys", "new", "--operator", "Alice"], '"Alice" is no operator\'s name'],
    [["keys", "new", "--operator", "../eve"], "is no operator's name"],
  ])("is not made by %j", async (args, told) => {
    expect(await run(...args, "--folder", folder)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(told),
    });
  });
});

describe("status and verify", () => {
  const exitLine = async (command: string, env: Record<string, string> = {}) => {
    const { stdout } = await permitctl(server.url, [command], WAIT_MS, env);
    return stdout.split("\n").find((line) => /^(ok +|FAIL +)?exit\b/.test(line));
  };
  const told = (count: number) =>
    redis.hset(keys.exit, {
      keys: String(count),
      at_ms: String(Date.now()),
      drilled_at_ms: "1",
      drilled_by: "al",
    });

  it("say whether the exit is armed, with its keys and its last drill", async () => {
    expect(await exitLine("status")).toMatch(
      /^exit +NOT armed \(0 keys; never drilled\): no executor has said/,
    );
    await told(2);
    expect(await exitLine("status")).toMatch(/^exit +armed \(2 keys; last drill \d+ d ago by al\)$/);
  });

  it("verify fails with fewer than two keys where orders are real, and only there", async () => {
    await told(1);
    expect(await exitLine("verify")).toMatch(/^ok +exit: NOT armed \(1 key;/);
    expect(await exitLine("verify", { APPLY_MODE: "testnet" })).toMatch(/^FAIL +exit: NOT armed \(1 key;/);
    await told(2);
    expect(await exitLine("verify", { APPLY_MODE: "testnet" })).toMatch(/^ok +exit: armed/);
  });
});

const NO_TERMINAL = spawnSync("script", ["--version"]).status !== 0;

describe("on a terminal", () => {
  it.each([
    ["BTC", 1, "not confirmed. Nothing was cancelled and nothing was sent.", "0.062"],
    ["BTCUSDT", 0, "flatten BTCUSDT, ", "0"],
  ])("typing %s ends with %i", async (word, expected, told, left) => {
    if (NO_TERMINAL) return;
    const executor = new ScriptedExecutor(server.url, redis, { BTCUSDT: "0.062" });
    executor.start();
    const line = [process.execPath, "scripts/permitctl.mjs", "flatten", "BTCUSDT"].map(shellWord).join(" ");
    const env = {
      PATH: process.env["PATH"],
      TERM: "xterm",
      HOME: home,
      REDIS_URL: urlOfUser(server.url, "operator"),
      EXECUTOR_MODE: "paper",
      BINANCE_BASE_URL: "simulated",
    };
    const child = spawn("script", ["-qec", line, "/dev/null"], { cwd: ROOT, env });
    let shown = "";
    const answers: [question: string, answer: string][] = [
      ["or anything else to leave: ", `${word}\n`],
      ["Reason, for the record: ", "typed by hand\n"],
    ];
    child.stdout.on("data", (chunk) => {
      shown += String(chunk);
      const [question, answer] = answers[0] ?? [];
      if (question === undefined || !shown.includes(question)) return;
      answers.shift();
      child.stdin.write(answer);
    });
    const [code] = await once(child, "close");
    await executor.stop();
    expect({ code, position: executor.position }).toEqual({ code: expected, position: { BTCUSDT: left } });
    // Shown before it was asked.
    expect(shown.indexOf("SELL 0.062")).toBeLessThan(shown.indexOf("or anything else to leave"));
    expect(shown).toContain(told);
  });
});
