/** Runs the same tests again and again, each time with the next seed, and tells of each run how it ended. */
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { finished } from "node:stream/promises";
import { spawnGuarded } from "@quantum/harness";

/** Between two signs of life of one run. */
const PROGRESS_MS = 20_000;

export interface RepeatOptions {
  /** Of the repository; the config and the files are in it. */
  root: string;
  config: string;
  /** Vitest's filters; none: every file of the config. */
  files: readonly string[];
  runs: number;
  /** Of the first run. */
  seed: number;
  /** An existing folder. */
  logs: string;
  say: (line: string) => void;
}

/** @returns how many runs failed */
export async function repeatTests(options: RepeatOptions): Promise<number> {
  let failed = 0;
  for (let run = 1; run <= options.runs; run += 1) {
    if (!(await runOnce(options, run))) failed += 1;
  }
  return failed;
}

async function runOnce({ root, config, files, runs, seed: first, logs, say }: RepeatOptions, run: number) {
  const seed = first + run - 1;
  const name = `run ${run} of ${runs}, seed ${seed}`;
  const log = join(logs, `run-${run}.log`);
  const results = join(logs, `run-${run}.json`);
  const startedAt = performance.now();
  const seconds = () => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
  const progress = setInterval(() => say(`  ${name}: ${seconds()}`), PROGRESS_MS);

  const vitest = await spawnGuarded(
    process.execPath,
    [
      ...[join(root, "node_modules/vitest/vitest.mjs"), "run", `--config=${resolve(root, config)}`, ...files],
      ...["--sequence.shuffle.files", `--sequence.seed=${seed}`],
      ...["--reporter=default", "--reporter=json", `--outputFile.json=${results}`],
    ],
    { cwd: root, env: { ...definedOnly(process.env), TEST_SEED: String(seed), NO_COLOR: "1" } },
  );
  const output = createWriteStream(log);
  vitest.stdout.pipe(output, { end: false });
  vitest.stderr.pipe(output, { end: false });
  const [code] = (await once(vitest, "close")) as [number | null];
  clearInterval(progress);
  output.end();
  await finished(output);

  const { passed, failures } = await readResults(results);
  const succeeded = code === 0 && passed > 0;
  say(`${succeeded ? "✓" : "✗"} ${name}: ${passed} passed, ${failures.length} failed, ${seconds()}`);
  if (succeeded) return true;
  for (const { file, test, message } of failures) say(`  ✗ ${relative(root, file)} > ${test}\n${message}`);
  // A file that cannot be loaded fails no test: the log says what is wrong with it.
  if (failures.length === 0) say(await readFile(log, "utf8"));
  say(`  its log: ${log}`);
  return false;
}

interface Failure {
  file: string;
  test: string;
  message: string;
}

/** Vitest writes none where it could not even start. */
async function readResults(path: string): Promise<{ passed: number; failures: Failure[] }> {
  const text = await readFile(path, "utf8").catch(() => "{}");
  const { testResults = [] } = JSON.parse(text) as {
    testResults?: {
      name: string;
      assertionResults: { fullName: string; status: string; failureMessages: string[] }[];
    }[];
  };
  const tests = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map((result) => ({ file: name, ...result })),
  );
  return {
    passed: tests.filter(({ status }) => status === "passed").length,
    failures: tests
      .filter(({ status }) => status === "failed")
      .map(({ file, fullName, failureMessages }) => ({
        file,
        test: fullName,
        message: failureMessages.join("\n"),
      })),
  };
}

function definedOnly(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
