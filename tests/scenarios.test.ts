/** The launcher as people use it: a process of its own, judged by its exit code, its summary and what it leaves behind. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connectForCommands, disconnect } from "@quantum/redis";
import { endProcess, type GuardedProcess, isFree, spawnGuarded, startRedisServer } from "@quantum/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "./rig.ts";

const ROOT = join(import.meta.dirname, "..");
const RECORDED = join(ROOT, "../shared/data/harvest-proposals.jsonl");
/** Three rounds over the six symbols; every phase of a scenario gets its share. */
const PLANS = 18;
const RECORDED_TIMEOUT_MS = 60_000;
const GONE_TIMEOUT_MS = 10_000;

/** What must not count: a launcher that used it could not even connect. */
const CALLERS_REDIS = { REDIS_URL: "redis://127.0.0.1:1", REDIS_HOST: "nowhere.invalid", REDIS_PORT: "1" };

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "quantum-start-"));
});
afterEach(() => rm(dir, { recursive: true }));

interface Launched {
  child: GuardedProcess;
  /** All lines, those of stderr included. */
  ended: Promise<{ code: number | null; lines: string[] }>;
  /** The first line that contains `text`; rejects if it ends before. */
  line: (text: string) => Promise<string>;
}

async function launch(script: "start" | "stop", ...args: string[]): Promise<Launched> {
  const child = await spawnGuarded(process.execPath, [`scripts/${script}.mjs`, ...args], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", QUANTUM_CACHE_DIR: dir, ...CALLERS_REDIS },
  });
  const lines: string[] = [];
  const seen = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      for (const look of seen) look();
    });
  }
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, lines }));
  const line = (text: string) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const found = lines.find((candidate) => candidate.includes(text));
        if (found !== undefined) resolve(found);
      };
      seen.add(look);
      look();
      void ended.then(() => reject(new Error(`ended without ${text}:\n${lines.join("\n")}`)));
    });
  return { child, ended, line };
}

async function start(...args: string[]) {
  const file = join(dir, "summary.json");
  const { ended } = await launch("start", "--summary", file, ...args);
  const { code, lines } = await ended;
  const summary: unknown = existsSync(file) ? JSON.parse(await readFile(file, "utf8")) : undefined;
  return { code, output: lines.join("\n"), last: lines.at(-1), summary };
}

/** Exit code 0; else the test shows what the launcher has said. */
function expectSound(code: number | null, output: string): void {
  expect(code === 0 ? "sound" : output).toBe("sound");
}

const ALL_HOLD = { I1: true, I2: true, I3: true, I4: true, I5: true, I6: true, I7: true };

describe("a scenario", () => {
  /** Issuers that give no answer make a plan wait for all of its budget, and not for longer than it takes to notice. */
  const waitedOut = { min: expect.toSatisfy((waitMs: number) => waitMs >= 1200) };

  it.each([
    ["healthy", { ok: PLANS, executed: PLANS, orders: PLANS, blocked: {} }],
    [
      "slow-p33",
      { ok: PLANS, executed: PLANS, wait_ms: { min: expect.toSatisfy((waitMs: number) => waitMs >= 200) } },
    ],
    ["missing-p33", { orders: 0, blocked: { missing_p33: PLANS }, wait_ms: waitedOut }],
    ["missing-governor", { orders: 0, blocked: { missing_governor: PLANS }, wait_ms: waitedOut }],
    ["late-p33", { orders: 0, blocked: { missing_p33: PLANS }, wait_ms: waitedOut }],
    [
      "deny",
      { orders: 0, blocked: { p33_permit_denied: PLANS }, blocked_detail: { simulated_denial: PLANS } },
    ],
    ["dry-run", { ok: PLANS, executed: 0, orders: 0 }],
    ["kill-switch", { blocked: { kill_switch_active: expect.toSatisfy((count: number) => count > 0) } }],
    [
      "limits",
      {
        blocked: { governor_permit_denied: expect.toSatisfy((count: number) => count > 0) },
        blocked_detail: { burst_limit_exceeded: expect.toSatisfy((count: number) => count > 0) },
      },
    ],
    ["disarm", { blocked: { disarmed: expect.toSatisfy((count: number) => count > 0) } }],
  ])("%s ends as it says, and every invariant holds", async (scenario, expected) => {
    const { code, output, summary } = await start(
      "--plans",
      String(PLANS),
      "--scenario",
      scenario,
      "--seed",
      "7",
    );
    expectSound(code, output);
    expect(summary).toMatchObject({
      plans: PLANS,
      in_doubt: 0,
      duplicates: 0,
      doubled: 0,
      lost: 0,
      seed: 7,
      invariants: ALL_HOLD,
      ...expected,
    });
  });
});

describe("a replayed file", () => {
  const proposal = (fields: Record<string, string>) => ({
    symbol: "BTCUSDT",
    harvest_action: "PARTIAL_75",
    new_sl_proposed: "100.2",
    kill_score: "0.5273976547718264",
    computed_at_utc: "2026-01-22T23:20:48.373980",
    last_update_epoch: "1769124048",
    position_side: "SHORT",
    position_current_price: "105.0",
    ...fields,
  });
  const write = async (lines: readonly Record<string, string>[]) => {
    const file = join(dir, "proposals.jsonl");
    await writeFile(file, lines.map((line) => JSON.stringify(line)).join("\n"));
    return file;
  };

  it("accounts for every line, whatever becomes of it", async () => {
    const first = proposal({ expected_plan_id: "cc13b4be14719eae" });
    const file = await write([
      first,
      first,
      proposal({ symbol: "ETHUSDT", harvest_action: "FULL_CLOSE_PROPOSED", position_side: "LONG" }),
      proposal({ harvest_action: "NONE" }),
      proposal({ harvest_action: "HOLD" }),
      proposal({ harvest_action: "UPDATE_SL" }),
      proposal({ harvest_action: "PANIC" }),
      proposal({ kill_score: "nan" }),
    ]);
    const { code, output, summary } = await start("--proposals", file);
    expectSound(code, output);
    expect(summary).toMatchObject({
      plans: 7,
      ok: 2,
      executed: 2,
      duplicates: 1,
      skipped: { action_none: 1, action_hold: 1, update_sl_not_supported: 1 },
      errors: { unknown_action_PANIC: 1, kill_score_invalid: 1 },
      replayed: { lines: 8, plan_ids_as_expected: 1, plan_ids_unexpected: [] },
      invariants: ALL_HOLD,
    });
  });

  it("fails the run where a plan id is not the expected one", async () => {
    const { code, output } = await start(
      "--proposals",
      await write([proposal({ expected_plan_id: "0000000000000000" })]),
    );
    expect(code).toBe(1);
    expect(output).toContain("0000000000000000 expected, not published");
  });

  it("gives the recorded proposals their plan ids", { timeout: RECORDED_TIMEOUT_MS }, async ({ skip }) => {
    skip(!existsSync(RECORDED), "there is no ../shared/data/harvest-proposals.jsonl");
    const lines = (await readFile(RECORDED, "utf8")).trim().split("\n").length;
    const { code, output, summary } = await start("--proposals", RECORDED, "--rate", "200");
    expectSound(code, output);
    expect(summary).toMatchObject({
      plans: lines,
      replayed: { lines, plan_ids_as_expected: lines, plan_ids_unexpected: [] },
      invariants: ALL_HOLD,
    });
  });
});

describe("a running pipeline", () => {
  interface Facts {
    pid: number;
    ports: Record<string, number>;
    redis: { port: number };
  }

  const readFacts = async () => {
    const facts = JSON.parse(await readFile(join(dir, "run.json"), "utf8")) as Partial<Facts>;
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
    expect(ports).toHaveLength(7);
    const second = await (await launch("start")).ended;
    expect(second.code).toBe(1);
    expect(second.lines.join("\n")).toContain(`A pipeline is running already (pid ${facts.pid}`);

    const stop = await (await launch("stop")).ended;
    expect(stop.lines.join("\n")).toContain(`Stopped (pid ${facts.pid}`);
    expect(await allFree(ports)).toBe(true);
    const { code, lines } = await ended;
    expectSound(code, lines.join("\n"));
    expect(lines.at(-1)).toMatch(/^\d+ plans, \d+ orders, 0 doubled, 0 lost$/);
    expect(existsSync(join(dir, "run.json"))).toBe(false);
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
