/** `watch`: live `[PERMIT_WAIT]` lines from the streams, and the plans that are blocked when they open. */
import { fieldValue, waitLine } from "@quantum/contract";
import { type EndedWait, type LastWait, readGroups, tailWaits, whyNoPipeline } from "@quantum/operator";
import { spans, styled } from "@quantum/service-kit";
import type { Session } from "./session.ts";
import { waitData } from "./wait-data.ts";

export interface WatchOptions {
  symbol?: string;
  only?: "ok" | "block";
  reason?: string;
  /** How far back it begins; without it, only what ends from now on is shown. */
  since?: Since;
}

/** A moment, or an age in ms. */
export type Since = { atMs: number } | { ageMs: number };

/** Runs until `stop` is aborted. */
export async function watch(
  { access, terminal }: Session,
  { since, ...options }: WatchOptions,
  stop: AbortSignal,
): Promise<void> {
  // What runs first on a new Redis may be this.
  const missing = whyNoPipeline(await readGroups(access));
  if (missing !== undefined) terminal.remark(styled("yellow", `Nothing is to be seen here yet: ${missing}`));
  const sinceMs = since && ("atMs" in since ? since.atMs : access.nowMs() - since.ageMs);
  for await (const ended of tailWaits(access, { sinceMs, stop })) {
    const { wait } = ended;
    if (!isWanted(wait, options)) continue;
    const line = styled(wait.kind === "ok" ? "green" : "yellow", lineOf(ended));
    terminal.print(endedData(ended), [spans`${styled("dim", new Date(wait.atMs).toISOString())} ${line}`]);
  }
}

/** The mark of wait lines stands in real ones only. */
function lineOf({ wait, atOpening }: EndedWait): string {
  if (!atOpening || wait.kind === "ok") return waitLine(wait);
  const { planId, reason, symbol, detail } = wait;
  const fields = { plan: planId, reason, symbol, ...(detail !== "" && { detail }) };
  const told = Object.entries(fields).map(([name, value]) => ` ${name}=${fieldValue(value)}`);
  return `[AT_OPENING] BLOCK${told.join("")}`;
}

function isWanted(wait: LastWait, { symbol, only, reason }: Omit<WatchOptions, "since">): boolean {
  if (symbol !== undefined && wait.symbol !== symbol) return false;
  if (only !== undefined && (wait.kind === "ok") !== (only === "ok")) return false;
  return reason === undefined || (wait.kind === "blocked" && [wait.reason, wait.detail].includes(reason));
}

/** The fields of a line, as JSON. `wait_ms` is null where nothing was waited for. */
function endedData({ wait, atOpening }: EndedWait) {
  const data = waitData(wait);
  return atOpening ? { ...data, wait_ms: null } : data;
}
