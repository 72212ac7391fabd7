/** `watch`: live `[PERMIT_WAIT]` lines from the streams. */
import { type WaitOutcome, waitLine } from "@quantum/contract";
import { tailWaits } from "@quantum/operator";
import { styled } from "@quantum/service-kit";
import type { Session } from "./session.ts";
import { waitData } from "./wait-data.ts";

export interface WatchOptions {
  symbol?: string;
  only?: "ok" | "block";
  reason?: string;
}

/** Runs until `stop` is aborted. Earlier entries are not shown. */
export async function watch(
  { access, terminal }: Session,
  options: WatchOptions,
  stop: AbortSignal,
): Promise<void> {
  for await (const outcome of tailWaits(access, stop)) {
    if (!isWanted(outcome, options)) continue;
    const line = styled(outcome.kind === "ok" ? "green" : "yellow", waitLine(outcome));
    terminal.print(waitData(outcome), [line]);
  }
}

function isWanted(outcome: WaitOutcome, { symbol, only, reason }: WatchOptions): boolean {
  if (symbol !== undefined && outcome.symbol !== symbol) return false;
  if (only !== undefined && (outcome.kind === "ok") !== (only === "ok")) return false;
  return (
    reason === undefined || (outcome.kind === "blocked" && [outcome.reason, outcome.detail].includes(reason))
  );
}
