/** How an exit is told: what is there, what happens, and a summary that can be pasted into a report. */
import type { ExitReport } from "@quantum/contract";
import {
  type ExitSigner,
  type Closure,
  duration,
  type Mandate,
  type Scope,
  type Sight,
  type SymbolStep,
  targetsOf,
} from "@quantum/operator";
import { type Line, spans, styled } from "@quantum/service-kit";
import { table } from "./layout.ts";

/** Everything that a drill found. */
export function reportLines(report: ExitReport, scope: Scope, signer: ExitSigner): Line[] {
  const { hindrances, complete } = report;
  const nothing = "Nothing was cancelled or sent.";
  const isReady = complete && hindrances.length === 0;
  const verdict = isReady
    ? styled("green", `Drill passed: the executor believes this key, and would do this now. ${nothing}`)
    : complete
      ? styled(
          "yellow",
          `Drill passed, with the hindrances above: the executor believes this key. ${nothing}`,
        )
      : styled(
          "red",
          `Drill NOT passed: the executor believes this key, but could not read the account. ${nothing}`,
        );
  return [...planLines(report, scope, signer), verdict];
}

/** What would be cancelled and sent. */
export function planLines(report: ExitReport, scope: Scope, signer: ExitSigner): Line[] {
  const { operator, key, mode, venue, account } = signer;
  const targets = targetsOf(scope, report);
  const isIn = new Set(targets.map(({ symbol }) => symbol));
  const others = report.positions.filter(({ symbol }) => !isIn.has(symbol));
  const named = scope.kind === "symbols" ? scope.symbols : [];
  const unknown = named.filter(
    (name) => ![...report.positions, ...report.cancels].some(({ symbol }) => symbol === name),
  );
  // What cannot be read is among the hindrances.
  const cancels = report.cancels.filter(({ symbol, id }) => id !== "" && isIn.has(symbol));
  return [
    `Account ${account} at ${venue} (${mode}), as the venue says at ${timeText(report.at_ms)}; signed by ${operator}, key ${key.kid}`,
    ...(targets.length === 0
      ? ["No position and no resting order of what is to be closed."]
      : table([
          ["symbol", "position", "market orders, reduce-only", "resting orders"],
          ...targets.map((target) => [
            target.symbol,
            target.position,
            ordersText(report, target),
            String(cancels.filter(({ symbol }) => symbol === target.symbol).length),
          ]),
        ])),
    ...cancels.map(
      ({ symbol, id, kind, side, type, qty, reduces }) =>
        `  ${symbol} ${kind} ${id}, ${side} ${type} ${qty}: ${reduces ? "cancelled once the symbol is flat, or if it is in the way" : "could open or enlarge: cancelled first"}`,
    ),
    ...unknown.map((symbol) =>
      styled(
        "yellow",
        `${symbol}: the venue reports no position and no resting order. Is it spelt as the exchange spells it?`,
      ),
    ),
    ...others.map(({ symbol, amt, unreadable }) =>
      unreadable
        ? styled(
            "red",
            `  ${symbol || "some symbol"}: the venue's row cannot be read, so it cannot be closed from here`,
          )
        : `  ${symbol} ${amt}: left as it is`,
    ),
    ...report.hindrances.map((text) => spans`${styled("red", "in the way")}: ${text}`),
  ];
}

function ordersText(
  { positions }: ExitReport,
  { symbol, position, quantity }: { symbol: string; position: string; quantity: string | undefined },
): string {
  const found = positions.find((candidate) => candidate.symbol === symbol);
  if (found === undefined) return "none: it is flat";
  const side = position.startsWith("-") ? "BUY" : "SELL";
  if (quantity !== undefined) return `${side} up to ${quantity}`;
  const steps = found.steps.length === 0 ? "none" : `${side} ${stepsText(found.steps)}`;
  return found.dust === "" ? steps : `${steps}; ${found.dust} is too small for an order`;
}

function stepsText(steps: readonly string[]): string {
  return steps.length > STEPS_SHOWN ? `${steps[0]} and ${steps.length - 1} more` : steps.join(" + ");
}

const STEPS_SHOWN = 4;

/** One line, whenever something changes. */
export function stepLine(step: SymbolStep, nowMs: number): Line {
  const { symbol } = step;
  switch (step.kind) {
    case "plan":
      return `${symbol}: ${Number(step.quantity) === 0 ? "cancel resting orders" : `${step.side} up to ${step.quantity}`}, plan ${step.planId}`;
    case "sight":
      return sightText(`${symbol}: `, step.sight, nowMs);
    case "executed":
      return `${symbol}: executed ${step.quantity}, ${step.left} left`;
    case "again":
      return styled("yellow", `${symbol}: ${step.why}; next plan in ${waitText(step.waitMs, nowMs)}`);
    default: {
      const { how, why, left } = step.end;
      if (how === "flat" || how === "closed")
        return styled("green", `${symbol}: ${how === "flat" ? "flat" : `closed, ${left} left`}`);
      return styled("red", `${symbol}: ended, ${how}, ${left} left: ${why}`);
    }
  }
}

/** @param whose such as `BTCUSDT: ` */
export function sightText(whose: string, sight: Sight, nowMs: number): Line {
  switch (sight.kind) {
    case "unclaimed":
      return styled(
        "yellow",
        `${whose}no executor has answered for 10 s. Is one running (permitctl status)? Waiting until the signature ends, in ${duration(sight.untilMs - nowMs)}; Ctrl-C stops`,
      );
    case "sent":
      return `${whose}the executor has claimed the order and sends it`;
    case "in doubt":
      return styled(
        "yellow",
        `${whose}the venue's answer was ambiguous; the executor asks what became of the order`,
      );
    case "long in doubt":
      return styled(
        "yellow",
        `${whose}still in doubt; it is not sent again, and the executor goes on asking`,
      );
    case "silent":
      return styled("yellow", `${whose}${sight.why}; trying again`);
    case "unread":
      return styled(
        "yellow",
        `${whose}${sight.why}; asked again in ${waitText(sight.waitMs, nowMs)}, Ctrl-C stops`,
      );
    case "nobody":
      return styled("red", `${whose}no executor took the plan; nothing was sent`);
    case "lost":
      return styled("red", `${whose}Redis no longer knows the plan`);
    case "abandoned":
      return styled("yellow", `${whose}no longer waiting`);
    default:
      return `${whose}${sight.result.outcome}`;
  }
}

export interface ExitFacts {
  /** The command. */
  what: string;
  by: Mandate;
  signer: ExitSigner;
  closure: Closure;
  /** Whether it turned the kill switch on. */
  halted: boolean;
  atMs: number;
}

export function summaryLines({ what, by, signer, closure, halted, atMs }: ExitFacts): Line[] {
  const { ends, after, open } = closure;
  const { operator, mode, venue, account } = signer;
  return [
    "",
    styled("bold", `${what}, ${timeText(atMs)}: ${open.length === 0 ? "done" : "NOT done"}`),
    `by ${by.who}, signed by ${operator}, for account ${account} at ${venue} (${mode}): ${by.reason}`,
    ...(ends.length === 0
      ? []
      : table([
          ["symbol", "before", "executed", "left", "end", "plans"],
          ...ends.map(({ symbol, before, executedQty, left, how, plans }) => [
            symbol,
            before,
            executedQty,
            left,
            how,
            plansText(plans),
          ]),
        ])),
    after.kind === "report"
      ? `The venue says at ${timeText(after.report.at_ms)}: ${positionsText(after.report)}.`
      : "The venue's word is missing.",
    ...ends.flatMap(({ symbol, doubts }) =>
      doubts.map(
        (planId) =>
          `${symbol}: it is not known whether the order of plan ${planId} was executed. It cannot be executed any more; the executor finds out (permitctl explain ${planId}).`,
      ),
    ),
    ...(halted ? ["The kill switch is on. To go on: permitctl kill off."] : []),
  ];
}

/** All are in the audit stream and in `--json`. */
function plansText(plans: readonly string[]): string {
  if (plans.length <= PLANS_SHOWN) return plans.join(" ");
  return `${plans[0]} … ${plans.at(-1)} (${plans.length})`;
}

const PLANS_SHOWN = 3;

function positionsText({ positions, cancels }: ExitReport): string {
  const open = positions.map(
    ({ symbol, amt, unreadable }) => `${symbol || "some symbol"} ${unreadable ? "unreadable" : amt}`,
  );
  const resting = cancels.length === 0 ? "no resting order" : `resting orders: ${cancels.length}`;
  return `${open.length === 0 ? "no position is open" : `open: ${open.join(", ")}`}, ${resting}`;
}

export function summaryData({ what, by, signer, closure, halted, atMs }: ExitFacts) {
  const { ends, after, open } = closure;
  const { operator, key, mode, venue, account } = signer;
  return {
    command: what,
    done: open.length === 0,
    open,
    at_ms: atMs,
    who: by.who,
    reason: by.reason,
    operator,
    key_id: key.kid,
    mode,
    venue,
    account,
    kill_switch_turned_on: halted,
    symbols: ends.map(({ symbol, before, executedQty, left, how, why, plans, doubts }) => ({
      symbol,
      before,
      executed_qty: executedQty,
      left,
      end: how,
      why,
      plans,
      in_doubt: doubts,
    })),
    venue_says: after.kind === "report" ? after.report : null,
  };
}

/** With the time, if it is worth looking at a clock. */
function waitText(waitMs: number, nowMs: number): string {
  return waitMs < LONG_WAIT_MS ? duration(waitMs) : `${duration(waitMs)}, at ${timeText(nowMs + waitMs)}`;
}

const LONG_WAIT_MS = 10_000;

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
