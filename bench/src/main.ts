/** `pnpm bench`: measures the pipeline and its peers in one run on this machine. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { buildText } from "@quantum/service-kit";
import { Command, Option } from "commander";
import type { Bench, Case } from "./bench.ts";
import { costOf, renderCapacity } from "./capacity.ts";
import { client } from "./cases/client.ts";
import { console as consoleCase } from "./cases/console.ts";
import { durability } from "./cases/durability.ts";
import { growth } from "./cases/growth.ts";
import { idle } from "./cases/idle.ts";
import { wait, wake } from "./cases/latency.ts";
import { limit } from "./cases/limit.ts";
import { partitions } from "./cases/partitions.ts";
import { quiet } from "./cases/quiet.ts";
import { replicas } from "./cases/replicas.ts";
import { soak } from "./cases/soak.ts";
import { settled, throughput } from "./cases/throughput.ts";
import { venue } from "./cases/venue.ts";
import { writeDocument } from "./document.ts";
import { loadNow, readEnvironment } from "./environment.ts";
import { Results } from "./results.ts";
import { renderTables } from "./tables.ts";

const ROOT = join(import.meta.dirname, "../..");
const DOCUMENT = join(ROOT, "docs/benchmarks.md");
const CAPACITY = join(ROOT, "docs/capacity.md");
const LAST_FIGURES = ".cache/bench/last.json";

const CASES: ReadonlyMap<string, Case> = new Map([
  ["wake", wake],
  ["wait", wait],
  ["throughput", throughput],
  ["settled", settled],
  ["limit", limit],
  ["growth", growth],
  ["durability", durability],
  ["idle", idle],
  ["soak", soak],
  ["client", client],
  ["venue", venue],
  ["console", consoleCase],
  ["quiet", quiet],
  ["replicas", replicas],
  ["partitions", partitions],
]);
/** Cases that `--quick` skips, and cases that only `--only` runs. */
const SLOW = new Set(["growth", "durability"]);
const BY_NAME = new Set(["soak", "client", "venue", "console", "quiet", "replicas", "partitions"]);

const program = new Command("bench")
  .version(buildText(), "-V, --version", "print the version and the commit")
  .description("measures the pipeline and its peers, with each system and Redis in separate processes")
  .option("--quick", "under a minute: proves that everything works, the figures are rough")
  .option("--full", "about ten minutes: also 100,000 waiting plans, 1 to 566 symbols, long streams")
  .addOption(new Option("--only <name...>", "only these cases").choices([...CASES.keys()]))
  .addOption(
    new Option("--json <file>", "file for the figures").default(join(ROOT, LAST_FIGURES), LAST_FIGURES),
  )
  .option("--record", "also write the tables into docs/benchmarks.md and docs/capacity.md")
  .parse();
const options = program.opts<{
  quick?: true;
  full?: true;
  only?: string[];
  json: string;
  record?: true;
}>();

const results = new Results();
const startedAt = performance.now();
const bench: Bench = {
  results,
  size: options.quick ? "quick" : options.full ? "full" : "default",
  repeats: options.quick ? 1 : 3,
  progress: (text) => console.error(`[${((performance.now() - startedAt) / 1000).toFixed(0)} s] ${text}`),
};
const names = [...CASES.keys()].filter((name) =>
  options.only ? options.only.includes(name) : !BY_NAME.has(name) && !(options.quick && SLOW.has(name)),
);
const environment = await readEnvironment();
for (const name of names) await CASES.get(name)?.(bench);
environment.load = `${environment.load} before, ${loadNow()} after`;

const tables = renderTables(environment, results.all);
console.log(tables);
await mkdir(dirname(options.json), { recursive: true });
await writeFile(options.json, JSON.stringify({ environment, results: results.all }, null, 2));
console.error(`figures: ${options.json}`);
if (options.record) {
  // Tables of some cases would replace those of all.
  if (options.only === undefined) await writeDocument(DOCUMENT, "tables", tables);
  const cost = costOf(results);
  const settledPerSec = results.median(
    { case: "throughput", load: "to the settled order", system: "pipeline" },
    "plansPerSec",
  );
  if (cost !== undefined) await writeDocument(CAPACITY, "capacity", renderCapacity(cost, settledPerSec));
}
// BullMQ's connections to the stopped server would keep this process alive.
process.exit(0);
