/** The screen of `status`: states first, then tables, each with what matters most on top. */
import { waitLine } from "@quantum/contract";
import {
  armedText,
  disarmText,
  type Doubt,
  duration,
  type LastWait,
  type Overview,
  pauseText,
  type Unfulfilled,
  whyNoPipeline,
} from "@quantum/operator";
import { type Line, type Size, spans, type Styled, styled } from "@quantum/service-kit";
import { cutLine, firstRows, type Rows, share, table } from "./layout.ts";
import type { Away } from "./status-data.ts";
import { groupRows, quietGroups, quietServices, serviceRows, symbolRows } from "./status-tables.ts";

interface Table {
  title: string;
  rows: Rows;
  /** In a line, if none of its rows needs anybody's attention. */
  quiet: string | undefined;
}

/** Of lines that are the same for many symbols. */
const SHOWN_EACH = 3;

/** Everything, for a terminal that scrolls or for a program. @param columns undefined: nothing is cut */
export function whole(status: Overview, columns?: number, away?: Away): Line[] {
  const tables = tablesOf(status).flatMap(({ title, rows }) => [
    "",
    styled("bold", title),
    ...(rows.length === 1 ? ["  none"] : table(rows, columns)),
  ]);
  return [...head(status, away), ...states(status), ...tables];
}

/**
 * As much as the window holds. The tables share what the states leave of it; if that is not enough for all, a quiet one is a
 * line.
 */
export function fitted(status: Overview, { columns, rows }: Size, away?: Away): Line[] {
  // The cursor stands in the last line.
  const height = rows - 1;
  const first = [...head(status, away), ...states(status, SHOWN_EACH)].slice(0, height);
  const all = tablesOf(status).filter(({ rows }) => rows.length > 1);
  const isEnough = sizeOf(all) <= height - first.length;
  const quiet = all.flatMap(({ title, quiet }) =>
    isEnough || quiet === undefined ? [] : [state(title, quiet)],
  );
  const tables = all.filter((table) => isEnough || table.quiet === undefined);
  const above = [...first, ...quiet].slice(0, height);
  const heights = share(
    tables.map(({ rows }) => rows.length),
    height - above.length,
  );
  const below = tables.flatMap((each, index) => tableLines(each, columns, heights[index] ?? 0));
  const lines = [...above, ...below].map((line) => cutLine(line, columns));
  return away === undefined ? lines : lines.map((line, index) => (index === 0 ? line : dimmed(line)));
}

function sizeOf(tables: readonly Table[]): number {
  return tables.reduce((sum, { rows }) => sum + rows.length, 0);
}

/** The title takes the place of the first column's heading. */
function tableLines(
  { title, rows: [heading = [], ...rows] }: Table,
  columns: number,
  height: number,
): Line[] {
  // A heading alone says nothing.
  if (height < 2) return [];
  const [top = "", ...lines] = table([[title, ...heading.slice(1)], ...rows], columns);
  return [styled("bold", top), ...firstRows(lines, height - 1)];
}

function dimmed(line: Line): Line {
  const parts = typeof line === "string" || "style" in line ? [line] : line;
  return parts.map((part) => styled("dim", typeof part === "string" ? part : part.text));
}

function head(status: Overview, away: Away | undefined): Line[] {
  const { atMs, redis, groups, silent } = status;
  const missing = whyNoPipeline(groups);
  const time = new Date(atMs).toISOString();
  return [
    ...(away === undefined ? [] : [styled("red", awayText(away))]),
    `${time}  Redis ${redis.version} at ${redis.url}${away === undefined ? "" : "  STALE"}`,
    ...silent.map((sentence) => styled("red", `PARTIAL        ${sentence}`)),
    ...(missing === undefined ? [] : [styled("red", `NO PIPELINE    ${missing}`)]),
  ];
}

function awayText({ sinceMs, nowMs, problem }: Away): string {
  return `NO ANSWER for ${duration(nowMs - sinceMs)}, since ${new Date(sinceMs).toISOString()}: ${problem}`;
}

function states(status: Overview, each = Number.POSITIVE_INFINITY): Line[] {
  const { killSwitch, disarm, exit, pauses, atMs, redis, symbols, deadLetters } = status;
  const inDoubt = symbols.flatMap((symbol) => symbol.inDoubt);
  const holds = symbols.flatMap(({ hold }) => hold ?? []);
  return [
    state("kill switch", killSwitch.on ? bad(killText(status)) : good("off")),
    ...unfulfilledLines(
      symbols.flatMap((symbol) => symbol.unfulfilled ?? []),
      atMs,
      each,
    ),
    state("in doubt", listOr("none", inDoubt.map(doubtText(atMs)))),
    state(
      "holds",
      listOr(
        "none",
        holds.map(({ symbol, sinceMs }) => `${symbol} for ${duration(atMs - sinceMs)}`),
      ),
    ),
    state("disarm", disarm === null ? good("none") : bad(disarmText(disarm, atMs))),
    state("exchange", pauses.length === 0 ? good("no pause") : bad(pauses.map(pauseText).join("; "))),
    state("exit", exit.armed ? good(armedText(exit.state, atMs)) : bad(armedText(exit.state, atMs))),
    state("dead letters", deadLetters === 0 ? good("0") : bad(String(deadLetters))),
    state(
      "durability",
      redis.notDurable.length === 0
        ? good("every claim is on disk")
        : styled("yellow", redis.notDurable.join("; ")),
    ),
    state("waiting", waitingText(status)),
    state("last OK", lastText(status.lastOk, atMs)),
    state("last BLOCK", lastText(status.lastBlock, atMs)),
  ];
}

const NAME_WIDTH = 14;

function state(name: string, value: string | Styled): Line {
  return spans`${name.padEnd(NAME_WIDTH)}${value}`;
}

const good = (text: string) => styled("green", text);
const bad = (text: string) => styled("red", text);

function listOr(none: string, found: readonly string[]): Styled {
  return found.length === 0 ? good(none) : bad(found.join(", "));
}

function doubtText(nowMs: number) {
  return ({ planId, sinceMs }: Doubt) => `${planId} for ${duration(nowMs - sinceMs)}`;
}

/** The alert CloseUnfulfilled warns from here on. */
const UNFULFILLED_LONG_MS = 60_000;

/** A close is proposed, the position is open, and nothing is executed. The longest come first. */
function unfulfilledLines(unfulfilled: readonly Unfulfilled[], nowMs: number, most: number): Line[] {
  if (unfulfilled.length === 0) return [state("unfulfilled", good("none"))];
  const longestFirst = unfulfilled.toSorted((a, b) => a.sinceMs - b.sinceMs);
  const lines = longestFirst.slice(0, most).map(({ symbol, sinceMs, positionAmt, last }) => {
    // It may have begun while the rest was read.
    const forMs = Math.max(0, nowMs - sinceMs);
    const position = positionAmt === "" ? "position unknown" : `position ${positionAmt}`;
    const text = `close of ${symbol} for ${duration(forMs)} (${position}${last === "" ? "" : `, last plan ${last}`})`;
    return state("unfulfilled", styled(forMs < UNFULFILLED_LONG_MS ? "yellow" : "red", text));
  });
  const others = longestFirst.slice(most).map(({ symbol }) => symbol);
  if (others.length === 0) return lines;
  return [...lines, state("unfulfilled", bad(`and ${others.length} more: ${others.join(", ")}`))];
}

function waitingText({ waiting, moreWaiting, atMs }: Overview): string {
  const [next] = waiting.toSorted((a, b) => a.deadlineMs - b.deadlineMs);
  if (next === undefined) return "no plan";
  const count = waiting.length + moreWaiting;
  const lacks = next.lacks.length === 0 ? "" : ` for ${next.lacks.join(" and ")}`;
  const leftMs = next.deadlineMs - atMs;
  const left = leftMs < 0 ? `overdue by ${duration(-leftMs)}` : `${duration(leftMs)} left`;
  return `${count === 1 ? "1 plan" : `${count} plans`}; ${next.planId} ${next.symbol}${lacks}, ${left}`;
}

function lastText(wait: LastWait | undefined, nowMs: number): string {
  if (wait === undefined) return "none in the streams";
  return `${duration(Math.max(0, nowMs - wait.atMs))} ago: ${waitLine(wait)}`;
}

/** Since when, by whom and why. */
function killText({ killSwitch, killRecord, atMs }: Overview): string {
  const sinceMs = killRecord?.atMs;
  return `ON${sinceMs === undefined ? "" : ` for ${duration(atMs - sinceMs)}`}, ${killSwitch.text}`;
}

function tablesOf({ services, symbols, groups }: Overview): Table[] {
  return [
    { title: "services", rows: serviceRows(services), quiet: quietServices(services) },
    { title: "symbols", rows: symbolRows(symbols), quiet: undefined },
    { title: "groups", rows: groupRows(groups), quiet: quietGroups(groups) },
  ];
}
