/**
 * Everything that must hold before a change lands, in the order of what is quick to fail: types, lint, format, tests.
 * Stops at the first failure. Arguments go to vitest. The last line is `N passed, N failed`.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { findRedisServer } from "@quantum/testkit";

const ROOT = join(import.meta.dirname, "../..");
const BIN = join(ROOT, "node_modules/.bin");
const RESULTS = join(ROOT, ".cache/test-results.json");

interface Tally {
  passed: number;
  failed: number;
}

const tally = await runSteps();
console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exitCode = tally.failed === 0 ? 0 : 1;

async function runSteps(): Promise<Tally> {
  const passed =
    (await step("redis-server", findRedis)) &&
    (await step("types", () => check("tsc", ["-p", "tsconfig.json"]))) &&
    (await step("lint", () => check("oxlint", ["--type-aware", "--deny-warnings"]))) &&
    (await step("format", () => check("oxfmt", ["--check"])));
  if (!passed) return { passed: 0, failed: 1 };

  // An older run's results must not pass for this one's.
  await rm(RESULTS, { force: true });
  await mkdir(dirname(RESULTS), { recursive: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${RESULTS}`];
  // pnpm hands over the `--` that npm users write between its arguments and ours.
  const filters = process.argv.slice(2).filter((argument) => argument !== "--");
  const succeeded = await step("tests", () => runVitest([...reporters, ...filters]));
  const { passed: tests, failed } = await readResults();
  if (succeeded && tests === 0) console.error("✗ no test was run");
  // A file that cannot be loaded, or an unhandled error, fails the run without failing a test.
  return { passed: tests, failed: succeeded && tests > 0 ? failed : Math.max(failed, 1) };
}

/** Here and not in the first test that needs it: it may take seconds, and two workers need it at once. */
async function findRedis(): Promise<boolean> {
  try {
    await findRedisServer({ onProgress: (text) => console.log(`  ${text}`) });
    return true;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return false;
  }
}

/** One line with the time it took; the checks print only what is wrong, vitest what it runs. */
async function step(name: string, work: () => Promise<boolean>): Promise<boolean> {
  const start = performance.now();
  const passed = await work();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${passed ? "✓" : "✗"} ${name} ${seconds} s`);
  return passed;
}

/** A tool whose output matters only when it fails. */
function check(name: string, args: string[]): Promise<boolean> {
  return new Promise((done) => {
    execFile(join(BIN, name), args, { cwd: ROOT, maxBuffer: Infinity }, (error, stdout, stderr) => {
      if (error !== null) console.error(`${stdout}${stderr}`.trim() || error.message);
      done(error === null);
    });
  });
}

async function runVitest(args: string[]): Promise<boolean> {
  const vitest = spawn(join(BIN, "vitest"), ["run", ...args], { cwd: ROOT, stdio: "inherit" });
  const [code] = await once(vitest, "exit");
  return code === 0;
}

async function readResults(): Promise<Tally> {
  try {
    const results = JSON.parse(await readFile(RESULTS, "utf8")) as Record<string, unknown>;
    return { passed: Number(results["numPassedTests"]), failed: Number(results["numFailedTests"]) };
  } catch {
    // Vitest ended before it could write any.
    return { passed: 0, failed: 0 };
  }
}
