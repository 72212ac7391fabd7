/**
 * Measures how long an open position could not be closed: from a symbol's first close that failed until the next one
 * was executed. Time during a fault does not count; only the time after it does.
 */
import type { Finding } from "@quantum/harness";
import type { ThrownFault } from "./campaign.ts";
import type { Proposed } from "./proposer.ts";

/** While a position cannot be closed, it may lose money every second. */
const CLOSABLE_BOUND_MS = 60_000;
/** A normal close takes at most this long. Longer times are added up. */
const PROMPT_MS = 1_000;
/** There was nothing to close. */
const FLAT: ReadonlySet<string | undefined> = new Set(["no_position"]);

export interface Closable {
  longestMs: number;
  /** The fault before the longest time; `none` if there was no fault. */
  longestAfter: string;
  totalMs: number;
  finding: Finding;
}

interface Span {
  symbol: string;
  fromMs: number;
  toMs: number;
}

export function closableOf(plans: Iterable<Proposed>, faults: readonly ThrownFault[]): Closable {
  const pieces = spansOf(plans).flatMap((span) => withoutFaults(span, faults));
  let longest: Span | undefined;
  let totalMs = 0;
  for (const piece of pieces) {
    if (longest === undefined || lengthOf(piece) > lengthOf(longest)) longest = piece;
    if (lengthOf(piece) > PROMPT_MS) totalMs += lengthOf(piece);
  }
  const violations = pieces
    .filter((piece) => lengthOf(piece) > CLOSABLE_BOUND_MS)
    .map(
      (piece) =>
        `${piece.symbol}: no close was executed for ${Math.round(lengthOf(piece) / 1000)} s after ${lastFault(piece, faults)}`,
    );
  return {
    longestMs: longest === undefined ? 0 : Math.round(lengthOf(longest)),
    longestAfter: longest === undefined ? "none" : lastFault(longest, faults),
    totalMs: Math.round(totalMs),
    finding: { checked: pieces.length, violations },
  };
}

/** For each symbol: from the first proposal after an executed close to the end of the next executed close. */
function spansOf(plans: Iterable<Proposed>): Span[] {
  const spans: Span[] = [];
  const bySymbol = Map.groupBy(
    [...plans].filter(({ burst }) => !burst),
    ({ symbol }) => symbol,
  );
  for (const [symbol, own] of bySymbol) {
    let fromMs: number | undefined;
    let seenMs = 0;
    for (const { atMs, endedAtMs, outcome, reason } of own.toSorted((a, b) => a.atMs - b.atMs)) {
      seenMs = Math.max(seenMs, endedAtMs ?? atMs);
      if (FLAT.has(reason)) fromMs = undefined;
      else fromMs ??= atMs;
      if (fromMs === undefined || outcome !== "EXECUTED" || endedAtMs === undefined) continue;
      spans.push({ symbol, fromMs, toMs: endedAtMs });
      fromMs = undefined;
    }
    // Not closed again before the end of the run.
    if (fromMs !== undefined && seenMs > fromMs) spans.push({ symbol, fromMs, toMs: seenMs });
  }
  return spans;
}

function withoutFaults(span: Span, faults: readonly ThrownFault[]): Span[] {
  let pieces = [span];
  for (const fault of faults) {
    pieces = pieces.flatMap((piece) => [
      { ...piece, toMs: Math.min(piece.toMs, fault.fromMs) },
      { ...piece, fromMs: Math.max(piece.fromMs, fault.toMs) },
    ]);
    pieces = pieces.filter((piece) => lengthOf(piece) > 0);
  }
  return pieces;
}

function lastFault({ toMs }: Span, faults: readonly ThrownFault[]): string {
  return faults.findLast((fault) => fault.toMs <= toMs)?.kind ?? "none";
}

const lengthOf = ({ fromMs, toMs }: Span) => toMs - fromMs;
