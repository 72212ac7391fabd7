/** What the launcher says and leaves behind when something of it is killed, or nobody reads its output any more. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createKeys } from "@quantum/contract";
import { endProcess, eventually, patienceMs, startRedisServer } from "@quantum/harness";
import { connectForCommands, disconnect } from "@quantum/redis";
import { describe, expect, it, onTestFinished } from "vitest";
import { allFree, expectSound, givenLauncher, pidOf } from "./launch.ts";

const ROOT = join(import.meta.dirname, "..");
const PATIENCE_MS = 20_000;
/** From the end of Redis to the launcher's: services that hang included. */
const SOON_MS = 15_000;
/** More than any run here sees. */
const MANY = ["--plans", "5000", "--rate", "20"];

const { launch, inFolder, summary, facts } = givenLauncher();

describe("a running pipeline", () => {
  it("ends within seconds, in a few lines, when its Redis is killed", async () => {
    const live = await launch("start", ...MANY, "--summary", inFolder("summary.json"));
    await live.line("[PERMIT_WAIT] OK");
    const { redis, ports } = await facts();
    const killedAt = performance.now();
    process.kill(pidOf(live, `:${redis}|--port ${redis}`), "SIGKILL");
    const said = await live.line("redis ended with SIGKILL");
    expect(said).toBe("redis ended with SIGKILL: the run ends here");
    const { code, lines } = await live.ended;
    expect(performance.now() - killedAt).toBeLessThan(patienceMs(SOON_MS));
    expect(code).toBe(1);
    const after = lines.slice(lines.indexOf(said) + 1);
    expect(after.length).toBeLessThan(20);
    expect(lines.at(-1)).toMatch(/^\d+ plans, \d+ executed, \d+ unfinished, nothing checked$/);
    expect(lines.join("\n")).not.toMatch(/lost|ECONNREFUSED|Connection is closed/);
    expect(await summary()).toMatchObject({
      lost: 0,
      cut_short: "redis ended with SIGKILL",
      invariants: { I1: false, I7: false },
      checked: { I1: 0 },
    });
    expect(await allFree(ports)).toBe(true);
  });

  it("says the same of a Redis of the caller's that does not come back", async () => {
    const server = await startRedisServer();
    const live = await launch("start", ...MANY, "--redis-url", server.url);
    await live.line("[PERMIT_WAIT] OK");
    await server.kill();
    await live.line("Redis does not answer");
    const { code, lines } = await live.ended;
    await server.stop();
    expect(code).toBe(1);
    expect(lines.filter((line) => line.includes("Redis has not answered for 10 s"))).toHaveLength(2);
    expect(lines.at(-1)).toMatch(/ unfinished, nothing checked$/);
  });

  it("calls plans unfinished, not lost, when a service stays down", async () => {
    const live = await launch("start", ...MANY, "--summary", inFolder("summary.json"));
    await live.line("[PERMIT_WAIT] OK");
    process.kill(pidOf(live, "services/executor"), "SIGKILL");
    await live.line("executor runs again");
    process.kill(pidOf(live, "services/executor"), "SIGKILL");
    await live.line("executor ended with SIGKILL and stays down");
    const { code, lines } = await live.ended;
    expect(code).toBe(1);
    expect(lines.at(-1)).toMatch(/ 0 doubled, 0 lost(, \d+ unfinished)?$/);
    expect(await summary()).toMatchObject({ lost: 0, cut_short: "without executor" });
  });

  it("starts a service again that was killed, once, and loses nothing", async () => {
    const live = await launch(
      "start",
      "--plans",
      "60",
      "--rate",
      "20",
      "--summary",
      inFolder("summary.json"),
    );
    await live.line("[PERMIT_WAIT] OK");
    process.kill(pidOf(live, "services/executor"), "SIGKILL");
    await live.line("executor ended with SIGKILL: starting it again");
    const { code, lines } = await live.ended;
    expectSound(code, lines.join("\n"));
    expect(lines.at(-1)).toMatch(/^60 plans, \d+ orders, 0 doubled, 0 lost$/);
    expect(await summary()).toMatchObject({ restarts: { executor: 1 }, lost: 0, unfinished: 0 });
  });

  it("serves the console to the user that it names, and goes on without it", async () => {
    const live = await launch("start", ...MANY, "--console", "--summary", inFolder("summary.json"));
    const [, url = "", user = "", password = ""] =
      /^console +(http:\S+) {2}user (\S+), password (\S+)$/.exec(await live.line("console ")) ?? [];
    const answer = await fetch(`${url}/api/login`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: url },
      body: JSON.stringify({ user, password }),
    });
    expect([answer.status, await answer.json()]).toMatchObject([
      200,
      { user: "operator", role: "operator", noActions: "" },
    ]);

    process.kill(pidOf(live, "services/console"), "SIGKILL");
    await live.line("console runs again");
    process.kill(pidOf(live, "services/console"), "SIGKILL");
    await live.line("console ended with SIGKILL and stays down");
    await live.line("[PERMIT_WAIT] OK");
    live.child.kill("SIGINT");
    const { code, lines } = await live.ended;
    expectSound(code, lines.join("\n"));
    expect(await summary()).not.toHaveProperty("cut_short", "without console");
  });

  it("leaves nothing running when its guard and then the launcher is killed", async () => {
    const live = await launch("start", ...MANY);
    await live.line("[PERMIT_WAIT] OK");
    const { redis, ports } = await facts();
    process.kill(pidOf(live, "guard.ts"), "SIGKILL");
    await endProcess(live.child, "SIGKILL");
    await expect.poll(() => allFree([redis, ...ports]), { timeout: PATIENCE_MS }).toBe(true);
  });

  it("leaves nothing running when both are killed while services start", async () => {
    const live = await launch("start", ...MANY);
    const executor = await eventually(
      async () => {
        try {
          return pidOf(live, "services/executor");
        } catch {
          return undefined;
        }
      },
      PATIENCE_MS,
      "executor is started",
    );
    const pids = execFileSync("pgrep", ["-P", String(live.child.pid)], { encoding: "utf8" })
      .trim()
      .split("\n");
    expect(pids).toContain(String(executor));
    process.kill(pidOf(live, "guard.ts"), "SIGKILL");
    await endProcess(live.child, "SIGKILL");
    const running = () => pids.filter((pid) => existsSync(`/proc/${pid}`));
    await expect.poll(running, { timeout: PATIENCE_MS }).toEqual([]);
  });
});

describe("an output that nobody reads any more", () => {
  const sh = async (script: string, ...args: string[]) => {
    const child = spawn("bash", ["-c", `set -o pipefail; ${script}`, process.execPath, ...args], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"] ?? "", QUANTUM_CACHE_DIR: inFolder("") },
    });
    const shown = { out: "", err: "" };
    child.stdout.on("data", (chunk) => (shown.out += String(chunk)));
    child.stderr.on("data", (chunk) => (shown.err += String(chunk)));
    const [code] = (await once(child, "close")) as [number | null];
    return { code, ...shown };
  };

  it("ends a run as Ctrl-C does, with its summary", async () => {
    const file = inFolder("summary.json");
    const run = `"$0" scripts/start.mjs --plans 5000 --rate 20 --summary "$1" | head -3`;
    const { code, out, err } = await sh(run, file);
    expect({ code, err, lines: out.trim().split("\n").length }).toEqual({ code: 0, err: "", lines: 3 });
    expect(await summary()).toMatchObject({ doubled: 0, lost: 0 });
    expect(existsSync(inFolder("run.json"))).toBe(false);
  });

  it("ends permitctl quietly, and one that is full with a reason", async () => {
    const server = await startRedisServer();
    onTestFinished(() => server.stop());
    // As a service leaves it that has started once: of an empty Redis, `status` says that it is the wrong one.
    const redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
    await redis.xgroup("CREATE", createKeys().streams.plan, "governor", "0", "MKSTREAM");
    await disconnect(redis);
    const status = `"$0" scripts/permitctl.mjs status --redis-url "$1"`;
    expect(await sh(`${status} | head -1`, server.url)).toMatchObject({ code: 0, err: "" });
    const full = await sh(`${status} > /dev/full`, server.url);
    expect(full).toMatchObject({ code: 1, err: expect.stringContaining("the answer cannot be written") });
  });
});
