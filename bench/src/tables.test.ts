import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { writeDocument } from "./document.ts";
import { Results } from "./results.ts";
import { renderTables } from "./tables.ts";

const ENVIRONMENT = {
  date: "2026-11-24",
  commit: "abc",
  node: "v24",
  redis: "7.0.15",
  redisSettings: "",
  machine: "2 cores",
  load: "0.1",
};

it("a cell is the median of the repeats with their spread, a ratio is to the pipeline at the same load", () => {
  const results = new Results();
  for (const plansPerSec of [900, 1000, 1200])
    results.add({ case: "throughput", load: "all", system: "pipeline" }, { plansPerSec, refusedShare: 0 });
  results.add({ case: "throughput", load: "all", system: "flow" }, { plansPerSec: 100, refusedShare: 0.5 });
  const tables = renderTables(ENVIRONMENT, results.all);
  expect(tables).toContain("| all | pipeline | 1,000 (900–1,200) | 0 % |  |");
  expect(tables).toContain("| all | flow | 100 | 50 % | 10× |");
});

it("the document keeps its text around the tables, and must have their place", async () => {
  const dir = await mkdtemp(join(tmpdir(), "quantum-bench-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const file = join(dir, "benchmarks.md");
  await writeFile(
    file,
    "before\n<!-- tables: written by `pnpm bench --record` -->\nold\n<!-- end of tables -->\nafter\n",
  );
  await writeDocument(file, "tables", "new");
  expect(await readFile(file, "utf8")).toMatch(/^before\n.*tables.*\n\nnew\n\n.*end.*\nafter\n$/);
  await writeFile(file, "nothing");
  await expect(writeDocument(file, "tables", "new")).rejects.toThrow("marks");
});
