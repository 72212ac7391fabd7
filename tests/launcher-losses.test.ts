/** What the launcher says and leaves behind when something of it is killed, or nobody reads its output any more. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createKeys } from "@quantum/contract";
import { patienceMs, startRedisServer } from "@quantum/harness";
import { connectForCommands, disconnect } from "@quantum/redis";
import { describe, expect, it, onTestFinished } from "vitest";
import { allFree, givenLauncher, pidOf } from "./launch.ts";

const ROOT = join(import.meta.dirname, "..");
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
