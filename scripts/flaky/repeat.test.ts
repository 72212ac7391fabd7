import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, expect, it, onTestFinished } from "vitest";
import { repeatTests } from "./repeat.ts";

const ROOT = join(import.meta.dirname, "../..");
const SAMPLE = `
import { expect, it } from "vitest";
it("has an even seed", () => {
  console.log("a word of the test");
  expect(Number(process.env.TEST_SEED) % 2).toBe(0);
});
`;

let folder: string;
beforeEach(async () => {
  // In the checkout, where vitest is found.
  await mkdir(join(ROOT, ".cache"), { recursive: true });
  folder = await mkdtemp(join(ROOT, ".cache/flaky-test-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "sample.test.ts"), SAMPLE);
  await writeFile(join(folder, "vitest.config.ts"), "export default { test: { include: ['*.test.ts'] } };");
});

const repeat = async (files: string[], runs: number) => {
  const said: string[] = [];
  const failed = await repeatTests({
    root: ROOT,
    config: join(folder, "vitest.config.ts"),
    files: [`--root=${folder}`, ...files],
    runs,
    seed: 6,
    logs: folder,
    say: (line) => said.push(line),
  });
  return { failed, said: said.join("\n") };
};

it("counts the runs that failed, and shows the seed, the failure and where the log is", async () => {
  const { failed, said } = await repeat([], 3);
  expect(failed).toBe(1);
  expect(said).toContain("✓ run 1 of 3, seed 6: 1 passed, 0 failed");
  expect(said).toContain("✗ run 2 of 3, seed 7: 0 passed, 1 failed");
  expect(said).toContain("sample.test.ts > has an even seed");
  expect(said).toContain("expected 1 to be +0");
  const log = /its log: (.*)/.exec(said)?.[1] ?? "";
  expect(await readFile(log, "utf8")).toContain("a word of the test");
});

it("takes a run without a test for one that failed, and shows its log", async () => {
  const { failed, said } = await repeat(["absent"], 1);
  expect(failed).toBe(1);
  expect(said).toContain("No test files found");
});
