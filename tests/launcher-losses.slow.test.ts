/** The longer cases of launcher-losses.test.ts. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { endProcess, eventually, startRedisServer } from "@quantum/harness";
import { describe, expect, it } from "vitest";
import { allFree, expectSound, givenLauncher, pidOf } from "./launch.ts";

const PATIENCE_MS = 20_000;
/** More than any run here sees. */
const MANY = ["--plans", "5000", "--rate", "20"];

const { launch, inFolder, summary, facts } = givenLauncher();

describe("a running pipeline", () => {
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
