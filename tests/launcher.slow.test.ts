/** What the launcher does beside its scenarios: start and stop, a Redis that is named, its command line. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { connectForCommands, disconnect } from "@quantum/redis";
import { endProcess, eventually, isFree, startRedisServer } from "@quantum/harness";
import { describe, expect, it } from "vitest";
import { expectSound, givenLauncher } from "./launch.ts";

const GONE_TIMEOUT_MS = 10_000;

const { launch, start, inFolder } = givenLauncher();

describe("a running pipeline", () => {
  interface Facts {
    pid: number;
    ports: Record<string, number>;
    redis: { port: number };
  }

  const readFacts = async () => {
    const facts = JSON.parse(await readFile(inFolder("run.json"), "utf8")) as Partial<Facts>;
    return facts.redis === undefined ? undefined : (facts as Facts);
  };
  const launchLive = async () => {
    const live = await launch("start", "--rate", "20");
    await live.line("[PERMIT_WAIT] OK");
    // It names the Redis once everything runs, which may be a moment after the first plan.
    const facts = await eventually(readFacts, GONE_TIMEOUT_MS, "run.json names the Redis");
    return { ...live, facts, ports: [facts.redis.port, ...Object.values(facts.ports)] };
  };
  const allFree = async (ports: readonly number[]) => (await Promise.all(ports.map(isFree))).every(Boolean);

  it("is named by a second start and ended by stop, which leaves nothing running", async () => {
    const { child, ended, facts, ports } = await launchLive();
    expect(facts.pid).toBe(child.pid);
    expect(ports).toHaveLength(8);
    const second = await (await launch("start")).ended;
    expect(second.code).toBe(1);
    expect(second.lines.join("\n")).toContain(`A pipeline is running already (pid ${facts.pid}`);

    const stop = await (await launch("stop")).ended;
    expect(stop.lines.join("\n")).toContain(`Stopped (pid ${facts.pid}`);
    expect(await allFree(ports)).toBe(true);
    const { code, lines } = await ended;
    expectSound(code, lines.join("\n"));
    expect(lines.at(-1)).toMatch(/^\d+ plans, \d+ orders, 0 doubled, 0 lost$/);
    expect(existsSync(inFolder("run.json"))).toBe(false);
    expect((await (await launch("stop")).ended).lines).toEqual(["No pipeline is running."]);
  });

  it("ends on Ctrl-C with its summary", async () => {
    const { child, ended, ports } = await launchLive();
    child.kill("SIGINT");
    const { code, lines } = await ended;
    expectSound(code, lines.join("\n"));
    expect(lines.at(-1)).toMatch(/ 0 doubled, 0 lost$/);
    expect(await allFree(ports)).toBe(true);
  });

  it("leaves nothing running when the launcher is killed", async () => {
    const { child, ports } = await launchLive();
    await endProcess(child, "SIGKILL");
    await expect.poll(() => allFree(ports), { timeout: GONE_TIMEOUT_MS }).toBe(true);
    const again = await start("--plans", "6");
    expectSound(again.code, again.output);
  });
});

describe("a Redis that the caller names", () => {
  it("is used when it is empty, and refused when a pipeline has been there", async () => {
    const server = await startRedisServer();
    try {
      const redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
      await redis.set("somebody:elses", "1");
      const first = await start("--plans", "6", "--redis-url", server.url);
      expectSound(first.code, first.output);
      expect(await redis.exists("quantum:stream:apply.plan", "somebody:elses")).toBe(2);
      await disconnect(redis);

      const second = await start("--plans", "6", "--redis-url", server.url);
      expect(second.code).toBe(1);
      expect(second.output).toContain("has quantum:* keys already");
    } finally {
      await server.stop();
    }
  });

  it("is refused in one line when it cannot be reached", async () => {
    const { code, output } = await start("--plans", "6", "--redis-url", "redis://127.0.0.1:1");
    expect(code).toBe(1);
    expect(output).toContain("--redis-url redis://127.0.0.1:1 cannot be used: ");
    expect(output.split("\n")).toHaveLength(1);
  });
});

describe("the command line", () => {
  it("explains scenarios and profile", async () => {
    const { code, output } = await start("--help");
    expect(code).toBe(0);
    for (const words of [
      "missing-governor",
      "kill-switch",
      "P33_COOLDOWN_SEC=0",
      "APPLY_MODE=paper",
      "--redis-url",
    ]) {
      expect(output).toContain(words);
    }
  });

  it.each([
    [["--plans", "0"], "A whole number from 1"],
    [["--scenario", "chaos"], "Allowed choices are healthy"],
    [["--plans", "5", "--proposals", "p.jsonl"], "cannot be used with"],
    [["--proposals", "absent.jsonl"], "cannot be read"],
  ])("refuses %j", async (args, message) => {
    const { code, output } = await start(...args);
    expect(code).toBe(1);
    expect(output).toContain(message);
  });
});
