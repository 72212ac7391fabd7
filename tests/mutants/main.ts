/**
 * `pnpm run mutants`: plants one bug after another in a copy of the repository and runs the test that must catch it.
 * Exit code 0 only if every one was caught by a test that passes without it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildText } from "@quantum/service-kit";
import { Command } from "commander";
import { copyRepository, plant } from "./copy.ts";
import type { Mutant } from "./mutant.ts";
import { MUTANTS } from "./mutants.ts";
import { type Caught, record } from "./table.ts";

const ROOT = join(import.meta.dirname, "../..");
/** More than the enumeration of crash points gives itself, so that the test says what is wrong. */
const RUN_BOUND_MS = 150_000;
/** A test in which a bug makes something wait for ever must fail within that bound. */
const TEST_BOUND_MS = 40_000;

const command = new Command("pnpm run mutants")
  .version(buildText(), "-V, --version", "print the version and the commit")
  .description("Plants known bugs, one at a time, in a copy of the repository; a test must catch each.")
  .option("--record", "write the table of docs/reliability.md")
  .option("--only <text>", "bugs whose words contain this", "")
  .parse(process.argv.filter((argument) => argument !== "--"));
const options = command.opts<{ record?: true; only: string }>();

const copy = await mkdtemp(join(tmpdir(), "mutants-"));
process.on("exit", () => rmSync(copy, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

const chosen = MUTANTS.filter(({ bug }) => bug.includes(options.only));
await copyRepository(ROOT, copy);
const caught = (await passWithoutBugs(chosen)) ? await plantEach(chosen) : [];
console.log(`${chosen.length} bugs planted, ${caught.length} caught`);
const allCaught = chosen.length > 0 && caught.length === chosen.length;
if (allCaught && options.record === true && options.only === "") await record(caught);
process.exit(allCaught ? 0 : 1);

/** Else a test that always fails would catch everything. */
async function passWithoutBugs(mutants: readonly Mutant[]): Promise<boolean> {
  const tests = new Map(mutants.map(({ test, only }) => [`${test} ${only ?? ""}`, { test, only }]));
  for (const { test, only } of tests.values()) {
    const { passed, failed } = await runTest(test, only);
    if (passed > 0 && failed.length === 0) continue;
    console.log(`✗ ${test} does not pass without a bug: ${failed[0]?.name ?? "no test ran"}`);
    return false;
  }
  console.log(`✓ ${tests.size} tests pass without a bug`);
  return true;
}

async function plantEach(mutants: readonly Mutant[]): Promise<Caught[]> {
  const caught: Caught[] = [];
  for (const mutant of mutants) {
    const startedAt = performance.now();
    const undo = await plant(copy, mutant.edits);
    const { failed } = await runTest(mutant.test, mutant.only);
    await undo();
    const [first] = failed;
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    if (first === undefined) console.log(`✗ ${mutant.bug}: SURVIVED ${mutant.test} (${seconds} s)`);
    else if (isBroken(first.message)) console.log(`✗ ${mutant.bug}: is no bug but broken: ${first.message}`);
    else {
      console.log(`✓ ${mutant.bug}: ${first.name} (${seconds} s)`);
      console.log(`    ${first.message.split("\n", 1)[0]}`);
      caught.push({ mutant, by: first.name });
    }
  }
  return caught;
}

/** A script that Redis cannot run at all fails every test, and shows nothing of what tests catch. */
function isBroken(message: string): boolean {
  return /Error compiling script|user_script:\d+|SyntaxError|ReferenceError/.test(message);
}

interface TestRun {
  passed: number;
  /** In the order of the file. */
  failed: { name: string; message: string }[];
}

/** A file that cannot be loaded fails no test. */
async function runTest(test: string, only?: string): Promise<TestRun> {
  const results = join(copy, "mutant-results.json");
  await rm(results, { force: true });
  const config = test.endsWith(".slow.test.ts") ? "vitest.slow.config.ts" : "vitest.config.ts";
  const args = ["node_modules/vitest/vitest.mjs", "run", test, `--config=${config}`];
  args.push(`--testTimeout=${TEST_BOUND_MS}`);
  args.push("--reporter=json", `--outputFile=${results}`);
  if (only !== undefined) args.push(`--testNamePattern=${only}`);
  const vitest = spawn(process.execPath, args, { cwd: copy, stdio: "ignore", timeout: RUN_BOUND_MS });
  await once(vitest, "exit");
  const text = await readFile(results, "utf8").catch(() => "{}");
  const report = JSON.parse(text) as {
    testResults?: {
      assertionResults: { fullName: string; status: string; failureMessages: string[] }[];
    }[];
  };
  const tests = (report.testResults ?? []).flatMap(({ assertionResults }) => assertionResults);
  return {
    passed: tests.filter(({ status }) => status === "passed").length,
    failed: tests
      .filter(({ status }) => status === "failed")
      .map(({ fullName, failureMessages }) => ({ name: fullName, message: failureMessages.join("\n") })),
  };
}
