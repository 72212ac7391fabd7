/** `pnpm fuzz --runs 100000 --seed 7`: the suite's input fuzz, longer. Ends as its tests do. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { buildText } from "@quantum/service-kit";
import { Command, InvalidArgumentError } from "commander";

const ROOT = join(import.meta.dirname, "../..");
const LONG_RUNS = 100_000;
const SEED_MAX = 2 ** 31 - 1;

const command = new Command("pnpm fuzz")
  .version(buildText(), "-V, --version", "print the version and the commit")
  .description("Feeds damaged input to the services; every single one must be accounted for.")
  .option("--runs <n>", "inputs, shared out among the kinds", wholeNumber, LONG_RUNS)
  .option(
    "--seed <n>",
    "the same seed gives the same inputs",
    wholeNumber,
    Math.floor(Math.random() * SEED_MAX),
  )
  // pnpm hands over the `--` that npm users write between its arguments and ours.
  .parse(process.argv.filter((argument) => argument !== "--"));
const { runs, seed } = command.opts<{ runs: number; seed: number }>();

console.log(`${runs} damaged inputs, seed ${seed}`);
const vitest = spawn(join(ROOT, "node_modules/.bin/vitest"), ["run", "tests/fuzz"], {
  cwd: ROOT,
  env: { ...process.env, FUZZ_RUNS: String(runs), TEST_SEED: String(seed) },
  stdio: "inherit",
});
const [code] = await once(vitest, "exit");
console.log(`again: pnpm fuzz --runs ${runs} --seed ${seed}`);
process.exitCode = code === 0 ? 0 : 1;

function wholeNumber(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= SEED_MAX) return value;
  throw new InvalidArgumentError(`a whole number from 1 to ${SEED_MAX} is needed`);
}
