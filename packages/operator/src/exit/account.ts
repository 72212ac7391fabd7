/** Closes symbols beside one another, and lets the venue say whether what was asked for was done. */
import type { ExitReport } from "@quantum/contract";
import { Big } from "big.js";
import type { OpenAccess } from "../access.ts";
import type { Mandate } from "../changes.ts";
import { merged } from "../merged.ts";
import type { ExitSigner } from "../open-exit.ts";
import type { Sight } from "./plan.ts";
import { type Drilled, readAccount } from "./report.ts";
import { exitSymbol, type SymbolEnd, type SymbolStep, type Target } from "./symbol.ts";

/** What is to be closed: everything, everything of some symbols, or a part of one. */
export type Scope =
  | { kind: "account" }
  | { kind: "symbols"; symbols: readonly string[] }
  | { kind: "part"; symbol: string; quantity: string; pct: string };

/** What became of it. */
export interface Closure {
  /** One for each symbol. */
  ends: readonly SymbolEnd[];
  /** The account afterwards. */
  after: Drilled;
  /** What the venue does not confirm, a sentence each; none: what was asked for was done. */
  open: readonly string[];
}

/**
 * A symbol may have a position again after it was closed: an order that was resting is filled before it is cancelled. More
 * rounds than this mean that somebody opens positions faster than they are closed.
 */
const ROUNDS_MAX = 3;

/** Another round would end them in the same way. */
const ENDS_FOR_GOOD: ReadonlySet<SymbolEnd["how"]> = new Set([
  "dust",
  "nobody",
  "refused",
  "reopened",
  "failed",
]);

/**
 * After `stop` no further plan is opened; the plans under way are waited for, and the venue is asked once more.
 * @param before what the operator was shown
 * @param tell what happens while the venue is asked again
 */
export async function* exitAccount(
  access: OpenAccess,
  signer: ExitSigner,
  { scope, before, by }: { scope: Scope; before: ExitReport; by: Mandate },
  stop: AbortSignal,
  tell: (sight: Sight) => void,
): AsyncGenerator<SymbolStep, Closure> {
  const ends = new Map<string, SymbolEnd>();
  let after: Drilled = { kind: "report", report: before };
  for (let round = 1; round <= ROUNDS_MAX; round += 1) {
    const targets: Target[] = after.kind === "report" ? targetsOf(scope, after.report) : [];
    const due = targets.filter(({ symbol }) => isDue(scope, ends.get(symbol)));
    // Of a whole account even nothing is asked again: it was confirmed, and halted, after the operator was shown it.
    const isToAsk = due.length > 0 || (scope.kind === "account" && round === 1);
    if (!isToAsk || (round > 1 && stop.aborted)) break;
    for await (const step of merged(due.map((target) => exitSymbol(access, signer, target, by, stop)))) {
      if (step.kind === "end") ends.set(step.symbol, joined(ends.get(step.symbol), step.end));
      yield step;
    }
    const isAnybodyThere = due.length === 0 || due.some(({ symbol }) => ends.get(symbol)?.how !== "nobody");
    after = isAnybodyThere ? await readAccount(access, signer, by, stop, tell) : { kind: "nobody" };
  }
  return { ends: [...ends.values()], after, open: stillOpen(scope, ends, after) };
}

function isDue(scope: Scope, end: SymbolEnd | undefined): boolean {
  return end === undefined || (scope.kind !== "part" && !ENDS_FOR_GOOD.has(end.how));
}

function joined(earlier: SymbolEnd | undefined, end: SymbolEnd): SymbolEnd {
  if (earlier === undefined) return end;
  const executedQty = Big(earlier.executedQty).plus(end.executedQty).toFixed();
  const plans = [...earlier.plans, ...end.plans];
  const doubts = [...earlier.doubts, ...end.doubts];
  return { ...end, before: earlier.before, executedQty, plans, doubts };
}

/** A row that does not tell its symbol may be of any. */
const isWithin = (scope: Scope, symbol: string) =>
  symbol === "" ||
  scope.kind === "account" ||
  (scope.kind === "symbols" ? scope.symbols.includes(symbol) : scope.symbol === symbol);

/**
 * The positions, and for a symbol without one that has resting orders, a plan that cancels them: they could open a
 * position, or wait for one that is gone. Of a part, only the position.
 */
export function targetsOf(scope: Scope, { positions, cancels }: ExitReport): Target[] {
  const found = positions.filter(({ symbol, amt, unreadable }) => {
    return isWithin(scope, symbol) && !unreadable && amt !== "" && !Big(amt).eq(0);
  });
  if (scope.kind === "part") {
    const { quantity, pct } = scope;
    return found.map(({ symbol, amt }) => ({ action: "exit.close", symbol, position: amt, quantity, pct }));
  }
  const named = new Set(positions.map(({ symbol }) => symbol));
  const resting = new Set(
    cancels
      .filter(({ symbol, id }) => id !== "" && isWithin(scope, symbol) && !named.has(symbol))
      .map(({ symbol }) => symbol),
  );
  return [
    ...found.map(({ symbol, amt }) => ({ symbol, position: amt })),
    ...[...resting].map((symbol) => ({ symbol, position: "0" })),
  ].map((target) => ({ action: "exit.flatten", ...target, quantity: undefined, pct: "100" }));
}

function stillOpen(scope: Scope, ends: ReadonlyMap<string, SymbolEnd>, after: Drilled): string[] {
  if (after.kind !== "report") return [`the venue has not confirmed it: ${whyNot(after)}`];
  const { positions, cancels, complete, hindrances } = after.report;
  if (!complete) return [`the venue has not confirmed it: ${hindrances.join("; ")}`];
  const open = positions
    .filter(({ symbol }) => isWithin(scope, symbol))
    .flatMap(({ symbol, amt, unreadable }) => {
      if (unreadable)
        return [`${symbol || "some symbol"}: the venue's row cannot be read; look at the venue's own site`];
      const end = ends.get(symbol);
      if (amt === "" || Big(amt).eq(0) || isPartDone(scope, end, amt)) return [];
      return [`${symbol}: ${amt} is open${end === undefined || end.why === "" ? "" : `: ${end.why}`}`];
    });
  const opening = cancels
    .filter(({ symbol, reduces }) => scope.kind !== "part" && !reduces && isWithin(scope, symbol))
    .map(({ symbol, id, side, type }) =>
      id === ""
        ? `${symbol || "some symbol"}: an order waits that cannot be read; look at the venue's own site`
        : `${symbol}: order ${id} (${side} ${type}) may open a position again`,
    );
  return [...open, ...opening];
}

/** The venue agrees that so much less is open. */
function isPartDone(scope: Scope, end: SymbolEnd | undefined, amt: string): boolean {
  if (scope.kind !== "part" || end === undefined || end.how !== "closed") return false;
  const isTurned = Big(amt).gt(0) !== Big(end.before).gt(0);
  return !isTurned && Big(amt).abs().lte(Big(end.before).abs().minus(end.executedQty));
}

/** Why a drill has no report, as part of a sentence. */
export function whyNot(drilled: Exclude<Drilled, { kind: "report" }>): string {
  switch (drilled.kind) {
    case "refused":
      return `the executor refused: ${drilled.why}`;
    case "nobody":
      return "no executor answered within a minute";
    default:
      return "the question was interrupted before an executor answered";
  }
}
