/** The launcher as people use it: a process of its own, judged by its exit code, its summary and what it leaves behind. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { eventually, type GuardedProcess, isFree, spawnGuarded } from "@quantum/harness";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");
/** Three rounds over the six symbols; every phase of a scenario gets its share. */
export const PLANS = 18;

/** What must not count: a launcher that used it could not even connect. */
const CALLERS_REDIS = { REDIS_URL: "redis://127.0.0.1:1", REDIS_HOST: "nowhere.invalid", REDIS_PORT: "1" };

export const ALL_HOLD = { I1: true, I2: true, I3: true, I4: true, I5: true, I6: true, I7: true };

/** It names the Redis once everything runs, which may be a moment after the first plan. */
const FACTS_MS = 10_000;

export interface Launched {
  child: GuardedProcess;
  /** All lines, those of stderr included. */
  ended: Promise<{ code: number | null; lines: string[] }>;
  /** The first line that contains `text`; rejects if it ends before. */
  line: (text: string) => Promise<string>;
}

/** For the tests of a file: each has a folder of its own, in which its pipeline runs. */
export function givenLauncher() {
  let dir = "";
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "quantum-start-"));
  });
  afterEach(() => rm(dir, { recursive: true }));

  const inFolder = (name: string) => join(dir, name);

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
    const file = inFolder("summary.json");
    const { ended } = await launch("start", "--summary", file, ...args);
    const { code, lines } = await ended;
    const summary: unknown = existsSync(file) ? JSON.parse(await readFile(file, "utf8")) : undefined;
    return { code, output: lines.join("\n"), last: lines.at(-1), summary };
  }

  /** Of a launcher that was given `--summary` with `inFolder("summary.json")`. */
  const summary = async () =>
    JSON.parse(await readFile(inFolder("summary.json"), "utf8")) as Record<string, unknown>;

  /** Once run.json names them: the ports of the Redis and of the services. */
  async function facts() {
    const read = async () => {
      const text = existsSync(inFolder("run.json")) ? await readFile(inFolder("run.json"), "utf8") : "{}";
      const found = JSON.parse(text) as { ports?: Record<string, number>; redis?: { port: number } };
      return found.redis && found.ports && { redis: found.redis.port, ports: Object.values(found.ports) };
    };
    return eventually(read, FACTS_MS, "run.json names the Redis");
  }

  return { inFolder, launch, start, summary, facts };
}

export const allFree = async (ports: readonly number[]) =>
  (await Promise.all(ports.map(isFree))).every(Boolean);

/** A child of the launcher, by its command line. Throws if there is none. */
export function pidOf({ child }: Launched, command: string): number {
  const pids = execFileSync("pgrep", ["-f", "-P", String(child.pid), command], { encoding: "utf8" });
  return Number(pids.split("\n")[0]);
}

/** Exit code 0; else the test shows what the launcher has said. */
export function expectSound(code: number | null, output: string): void {
  expect(code === 0 ? "sound" : output).toBe("sound");
}

/** A run of each scenario ends with {@link PLANS} plans, every invariant, and what else its summary is to say. */
export function describeScenarios(cases: [scenario: string, expected: object][]): void {
  const { start } = givenLauncher();
  describe("a scenario", () => {
    it.each(cases)("%s ends as it says, and every invariant holds", async (scenario, expected) => {
      const { code, output, summary } = await start(
        ...["--plans", String(PLANS), "--scenario", scenario, "--seed", "7"],
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
}

/** Issuers that give no answer make a plan wait for all of its budget, and not for longer than it takes to notice. */
export const WAITED_OUT = { min: expect.toSatisfy((waitMs: number) => waitMs >= 1200) };
/** Of what a scenario does to some of its plans. */
export const SOME = expect.toSatisfy((count: number) => count > 0);
