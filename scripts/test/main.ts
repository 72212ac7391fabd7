/**
 * Everything that must hold before a change lands, in the order of what is quick to fail: types, lint, format, tests.
 * What precedes the tests stops at the first failure. `--slow` runs the slow tests instead, `--browser` those in a browser,
 * `--all` all of them; other arguments go to vitest. The last line is `N passed, N failed`, of all tests that were run.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { findChromium, findRedisServer } from "@quantum/harness";

const ROOT = join(import.meta.dirname, "../..");
const BIN = join(ROOT, "node_modules/.bin");

interface Tally {
  passed: number;
  failed: number;
  /** A line or more each: the test, or what the file says that cannot be loaded. */
  failures: string[];
}

/** What vitest's JSON reporter writes, as far as it is read here. */
interface Report {
  numPassedTests: number;
  numFailedTests: number;
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[];
  }[];
}

/** Vitest's configurations by the name of their step. */
const CONFIGS = {
  tests: "vitest.config.ts",
  "slow tests": "vitest.slow.config.ts",
  "browser tests": "vitest.browser.config.ts",
};
type Suite = keyof typeof CONFIGS;
const SUITES: readonly Suite[] = ["tests", "slow tests", "browser tests"];
const DEFAULT: readonly Suite[] = ["tests"];
/** By the option that asks for one alone. */
const ALONE: Readonly<Record<string, Suite>> = { "--slow": "slow tests", "--browser": "browser tests" };
const USAGE = `Usage: pnpm test [options] [files...]

Checks types, lint and format, then runs the tests, but for the slow ones and those in a browser.

Options:
  --slow      run the slow tests instead, without the checks
  --browser   run the tests of the console's page instead, in Chromium, without the checks
  --all       run the checks, the tests, the slow tests and those in a browser
  -h, --help  display help for command

Other arguments go to vitest. The last line is \`N passed, N failed\`.`;

// pnpm hands over the `--` that npm users write between its arguments and ours.
const given = process.argv.slice(2).filter((argument) => argument !== "--");
if (given.includes("--help") || given.includes("-h")) {
  console.log(USAGE);
  process.exit();
}
const filters = given.filter((argument) => argument !== "--all" && ALONE[argument] === undefined);
const alone = given.flatMap((argument) => ALONE[argument] ?? []);
const suites: readonly Suite[] = given.includes("--all") ? SUITES : alone.length > 0 ? alone : DEFAULT;

const tally = (await checksPass(suites)) ? await runSuites(suites) : { passed: 0, failed: 1, failures: [] };
if (suites === DEFAULT) console.log("left out: pnpm run test:slow, and in Chromium pnpm run test:browser");
// Once more, at the end: hundreds of lines may stand between a failure and the last line.
for (const failure of tally.failures) console.error(`✗ ${failure}`);
console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exitCode = tally.failed === 0 ? 0 : 1;

async function checksPass(suites: readonly Suite[]): Promise<boolean> {
  if (!(await step("redis-server", () => find((onProgress) => findRedisServer({ onProgress })))))
    return false;
  if (!suites.includes("tests")) return true;
  return (
    (await step("types", () => check("tsc", ["-p", "tsconfig.json"]))) &&
    // In a browser there is another world of names than in Node.
    (await step("types of the page", () => check("tsc", ["-p", "services/console/page/tsconfig.json"]))) &&
    (await step("lint", () => check("oxlint", ["--type-aware", "--deny-warnings"]))) &&
    (await step("format", () => check("oxfmt", ["--check"])))
  );
}

/** One after another; the next one also when one has failed. */
async function runSuites(suites: readonly Suite[]): Promise<Tally> {
  const sum: Tally = { passed: 0, failed: 0, failures: [] };
  for (const suite of suites) {
    const { passed, failed, failures } = await runSuite(suite);
    sum.passed += passed;
    sum.failed += failed;
    sum.failures.push(...failures);
  }
  return sum;
}

async function runSuite(suite: Suite): Promise<Tally> {
  // The other suites need none.
  if (suite === "browser tests" && !(await step("chromium", () => find(findChromium))))
    return { passed: 0, failed: 1, failures: ["no test was run in a browser"] };
  const results = join(ROOT, ".cache", `${suite.replace(" ", "-")}-results.json`);
  // An older run's results must not pass for this one's.
  await rm(results, { force: true });
  await mkdir(dirname(results), { recursive: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${results}`];
  const args = [`--config=${CONFIGS[suite]}`, ...reporters, ...filters];
  const succeeded = await step(suite, () => runVitest(args));
  const { passed, failed, failures } = await readResults(results);
  if (succeeded && passed === 0) console.error(`✗ no test of the ${suite} was run`);
  // A file that cannot be loaded, or an unhandled error, fails the run without failing a test.
  return { passed, failed: succeeded && passed > 0 ? failed : Math.max(failed, 1), failures };
}

/** Here and not in the first test that needs it: it may take seconds, and two workers need it at once. */
async function find(work: (onProgress: (text: string) => void) => Promise<unknown>): Promise<boolean> {
  try {
    await work((text) => console.log(`  ${text}`));
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

async function readResults(path: string): Promise<Tally> {
  try {
    const report = JSON.parse(await readFile(path, "utf8")) as Report;
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests,
      failures: report.testResults.flatMap(failuresOf),
    };
  } catch {
    // Vitest ended before it could write any.
    return { passed: 0, failed: 0, failures: [] };
  }
}

function failuresOf({ name, status, message, assertionResults }: Report["testResults"][number]): string[] {
  const file = relative(ROOT, name);
  const failed = assertionResults.filter((test) => test.status === "failed");
  if (status === "failed" && failed.length === 0) return [`${file}\n${message}`];
  // Not the frames of the runner's own stack.
  const lines = (messages: string[]) =>
    messages
      .join("\n")
      .split("\n")
      .filter((line) => !line.includes("/node_modules/"));
  return failed.map(({ fullName, failureMessages }) =>
    [`${file}: ${fullName}`, ...lines(failureMessages)].join("\n"),
  );
}
