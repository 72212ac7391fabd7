/** `pnpm run flaky --runs N [files...]`: repeats tests on a machine that is busy, and shows what failed and how. */
import { mkdir, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { buildText } from "@quantum/service-kit";
import { Command, InvalidArgumentError } from "commander";
import { startHogs } from "./hogs.ts";
import { repeatTests } from "./repeat.ts";

const ROOT = join(import.meta.dirname, "../..");
const LOGS = join(ROOT, ".cache/flaky");
const RUNS = 10;
const SEED_MAX = 2 ** 31 - 1;

const command = new Command("pnpm run flaky")
  .version(buildText(), "-V, --version", "print the version and the commit")
  .description("Repeats tests beside processes that use every core, and shows what failed.")
  .argument("[files...]", "test files, as vitest takes them [all of the quick suite]")
  .option("--runs <n>", "how often", wholeNumber(1), RUNS)
  .option("--hogs <n>", "processes that do nothing but use a core", wholeNumber(0), availableParallelism())
  .option("--seed <n>", "of the first run, the next run has the next one [random]", wholeNumber(0))
  .option("--slow", "repeat tests of the slow suite", false)
  .addHelpText(
    "after",
    `
The seed decides the order of the files and the inputs of the property tests and of the fuzz; what the operating
system schedules it cannot repeat. Each run's whole log is kept in .cache/flaky.

Exit code: 0 every run passed, 1 one did not or ran no test.`,
  )
  // pnpm hands over the `--` that npm users write between its arguments and ours.
  .parse(process.argv.filter((argument) => argument !== "--"));
const { runs, hogs, slow, seed: given } = command.opts<Options>();
const seed = given ?? Math.floor(Math.random() * (SEED_MAX - runs));

interface Options {
  runs: number;
  hogs: number;
  slow: boolean;
  seed?: number;
}

await rm(LOGS, { recursive: true, force: true });
await mkdir(LOGS, { recursive: true });
const endHogs = await startHogs(hogs);
console.log(`${runs} runs beside ${hogs} hogs, seeds from ${seed}`);
const failed = await repeatTests({
  root: ROOT,
  config: slow ? "vitest.slow.config.ts" : "vitest.config.ts",
  files: command.args,
  runs,
  seed,
  logs: LOGS,
  say: (line) => console.log(line),
});
await endHogs();
console.log(`${runs - failed} runs passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function wholeNumber(least: number) {
  return (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= SEED_MAX) return value;
    throw new InvalidArgumentError(`a whole number from ${least} to ${SEED_MAX} is needed`);
  };
}
