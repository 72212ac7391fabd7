/** `docs/reliability.md`: each recorded campaign is one row of its generated table. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sectionOf, withSection } from "@quantum/harness";
import type { Summary } from "./summary.ts";

const DOCUMENT = join(import.meta.dirname, "../../docs/reliability.md");
const SECTION = { document: "docs/reliability.md", name: "campaigns" };
const HEAD = [
  "| date | commit | seed | min | plans | faults | orders | doubled | lost | unauthorised | in doubt | forgotten | longest recovery | executed outside faults | not closable, longest and total |",
  "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|---:|---|",
];
/** One empty cell per column. */
const COLUMNS = (HEAD[0] ?? "")
  .split("|")
  .slice(1, -1)
  .map(() => "");
const KINDS_HEAD = ["| fault | thrown |", "|---|---:|"];

export async function recordRun(summary: Summary): Promise<void> {
  await writeFile(DOCUMENT, withRun(await readFile(DOCUMENT, "utf8"), summary));
}

/** Adds the run's row, and its faults to the totals by kind. */
export function withRun(text: string, summary: Summary): string {
  const cells = (line: string) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
  const lines = sectionOf(text, SECTION)
    .split("\n")
    .filter((line) => line.startsWith("| ") && !/\| -|^\|-/.test(line));
  const rows = lines.filter((line) => /^\| \d{4}-/.test(line)).map(cells);
  rows.push(rowOf(summary));
  const kinds = new Map(
    lines
      .map(cells)
      .flatMap(([kind = "", count]) => (/^`.*`$/.test(kind) ? [[kind.slice(1, -1), Number(count)]] : [])),
  );
  for (const [kind, count] of Object.entries(summary.faults_by_kind))
    kinds.set(kind, (kinds.get(kind) ?? 0) + count);
  const table = [
    ...HEAD,
    // Runs from before a column existed leave it empty.
    ...rows.map((row) => `| ${[...row, ...COLUMNS.slice(row.length)].join(" | ")} |`),
    totals(rows),
    "",
    ...KINDS_HEAD,
    ...[...kinds]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([kind, count]) => `| \`${kind}\` | ${count} |`),
  ];
  return withSection(text, SECTION, table.join("\n"));
}

function rowOf(summary: Summary): string[] {
  const seconds = (summary.longest_recovery_ms / 1000).toFixed(1);
  return [
    summary.date,
    summary.commit,
    summary.seed,
    summary.minutes,
    summary.plans,
    summary.faults,
    summary.orders,
    summary.doubled,
    summary.lost,
    summary.unauthorised,
    summary.in_doubt,
    summary.forgotten,
    `${seconds} s, ${summary.longest_recovery_after.split(" (")[0]}`,
    summary.executed_share === null ? "none" : `${(summary.executed_share * 100).toFixed(1)} %`,
    `${(summary.unclosable_longest_ms / 1000).toFixed(1)} s after ${summary.unclosable_longest_after}, ${(summary.unclosable_total_ms / 1000).toFixed(1)} s`,
  ].map(String);
}

/** Columns that are added up: minutes to forgotten. */
const SUMMED = { from: 3, to: 11 } as const;

function totals(rows: readonly string[][]): string {
  const sum = (column: number) => rows.reduce((total, row) => total + Number(row[column]), 0);
  const columns = Array.from({ length: SUMMED.to - SUMMED.from + 1 }, (_, index) => sum(SUMMED.from + index));
  return `| **all** | | | ${columns.map((total) => `**${Number(total.toFixed(1))}**`).join(" | ")} | | | |`;
}
