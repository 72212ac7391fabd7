/** The results as Markdown tables: the median of the repeats, with their spread in brackets. */
import type { Environment } from "./environment.ts";
import { type Result, type Spread, spreadOf } from "./results.ts";

/** Below this share of its rate, a system did not keep up. */
const KEPT_SHARE = 0.95;
/** Commands rarer than this (per plan, or per second) appear only in the JSON. */
const SHOWN_CALLS = 0.5;
const PIPELINE = "pipeline";

export function renderTables(environment: Environment, results: readonly Result[]): string {
  const { date, commit, node, redis, redisSettings, machine, load } = environment;
  const names = [...new Set(results.map((result) => result.case))];
  return [
    `${date}, commit ${commit}. ${machine}. Node ${node}, Redis ${redis} (${redisSettings}).`,
    `Load average of the last minute: ${load}.`,
    ...names.flatMap((name) => {
      const own = results.filter((result) => result.case === name);
      return ["", `### ${name}`, "", ...renderCase(own)];
    }),
  ].join("\n");
}

function renderCase(results: readonly Result[]): string[] {
  const first = results[0]?.runs[0] ?? {};
  if ("p50Ms" in first) return latencyTable(results);
  if ("plansPerSec" in first && Object.keys(first).length <= 2) return throughputTable(results);
  return figuresTable(results);
}

function latencyTable(results: readonly Result[]): string[] {
  const rows = results.map((result) => {
    const ms = (figure: string) => show(spreadOf(result, figure));
    const [rate, okPerSec] = [
      Number.parseFloat(result.load.replaceAll(",", "")),
      spreadOf(result, "okPerSec"),
    ];
    const kept = okPerSec !== undefined && okPerSec.median >= KEPT_SHARE * rate;
    return [
      result.load,
      result.system,
      ms("p50Ms"),
      ms("p90Ms"),
      ms("p99Ms"),
      ms("p999Ms"),
      ms("maxMs"),
      `${digits(okPerSec?.median ?? 0)}${kept ? "" : " (overrun)"}`,
      share(spreadOf(result, "refusedShare")),
      ratio(result, results, "p50Ms", (own, ours) => own / ours),
    ];
  });
  return table(
    [
      "load",
      "system",
      "p50 ms",
      "p90 ms",
      "p99 ms",
      "p99.9 ms",
      "max ms",
      "ended/s",
      "refused",
      "p50 ÷ ours",
    ],
    rows,
  );
}

function throughputTable(results: readonly Result[]): string[] {
  const rows = results.map((result) => [
    result.load,
    result.system,
    show(spreadOf(result, "plansPerSec")),
    share(spreadOf(result, "refusedShare")),
    ratio(result, results, "plansPerSec", (own, ours) => ours / own),
  ]);
  return table(["load", "system", "plans/s", "refused", "ours ÷ this"], rows);
}

/** All figures, one per row, with a column for each load and system. */
function figuresTable(results: readonly Result[]): string[] {
  const names = [...new Set(results.flatMap((result) => result.runs.flatMap((run) => Object.keys(run))))];
  const rows = names
    .map((name) => ({ name, cells: results.map((result) => spreadOf(result, name)) }))
    .filter(({ name, cells }) => {
      if (!name.startsWith("command ")) return true;
      return cells.some((cell) => cell !== undefined && cell.median >= SHOWN_CALLS);
    })
    .toSorted(
      (a, b) => order(a.name) - order(b.name) || (b.cells[0]?.median ?? 0) - (a.cells[0]?.median ?? 0),
    )
    .map(({ name, cells }) => [name, ...cells.map(show)]);
  return table(["figure", ...results.map(({ load, system }) => `${system}, ${load}`)], rows);
}

/** The total first, then its parts. */
function order(name: string): number {
  return ["commands", "command ", "cpu "].findIndex((start) => name.startsWith(start));
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, index) => (index < 1 ? "---" : "---:"))), ...rows.map(line)];
}

function ratio(
  result: Result,
  all: readonly Result[],
  figure: string,
  of: (own: number, ours: number) => number,
): string {
  const ours = all.find(({ load, system }) => load === result.load && system === PIPELINE);
  const [own, mine] = [spreadOf(result, figure), ours && spreadOf(ours, figure)];
  if (ours === result || own === undefined || mine === undefined) return "";
  return `${digits(of(own.median, mine.median))}×`;
}

function show(spread: Spread | undefined): string {
  if (spread === undefined || Number.isNaN(spread.median)) return "";
  const { median, min, max } = spread;
  return min === max ? digits(median) : `${digits(median)} (${digits(min)}–${digits(max)})`;
}

function share(spread: Spread | undefined): string {
  return spread === undefined ? "" : `${digits(spread.median * 100)} %`;
}

/** Three significant digits, more than the spread justifies. */
function digits(value: number): string {
  if (!Number.isFinite(value)) return "∞";
  return Math.abs(value) >= 1000
    ? Math.round(value).toLocaleString("en")
    : String(Number(value.toPrecision(3)));
}
