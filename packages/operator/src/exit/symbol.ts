/**
 * Closes one symbol with one exit plan after another, until the venue says that it is flat, or that as much was closed as
 * was asked for. The venue decides at every step: each plan signs no more than what it last reported, and the executor
 * reads the position again before it sends.
 */
import { Big } from "big.js";
import type { OpenAccess } from "../access.ts";
import type { Mandate } from "../changes.ts";
import { courseOf, type Ending } from "./course.ts";
import type { ExitOrder, ExitSigner, SignedExit } from "../open-exit.ts";
import { openedExit, type Sight, watchExit } from "./plan.ts";
import { FIRST_WAIT_MS, nextWaitMs, pausedMs, waitOut } from "./wait.ts";

export interface Target {
  action: ExitOrder["action"];
  symbol: string;
  /** As the venue reported it, signed, in coins. */
  position: string;
  /** How much of it to close, in coins; undefined: all. */
  quantity: string | undefined;
  /** The same as a share, in percent: what the plans sign. */
  pct: string;
}

export type SymbolStep = { symbol: string } & (
  | { kind: "plan"; planId: string; side: "BUY" | "SELL"; quantity: string }
  | { kind: "sight"; planId: string; sight: Exclude<Sight, { kind: "ended" }> }
  | { kind: "executed"; planId: string; quantity: string; left: string }
  /** Another plan follows after `waitMs`. */
  | { kind: "again"; planId: string; why: string; waitMs: number }
  | { kind: "end"; end: SymbolEnd }
);

export interface SymbolEnd {
  symbol: string;
  how: Ending;
  /** Why, where it is not what was asked for; "" else. */
  why: string;
  /** At the beginning, signed, in coins. */
  before: string;
  executedQty: string;
  /** As the venue last reported it, signed, in coins. */
  left: string;
  plans: string[];
}

/** After so many times the largest position seen, whoever opens it is faster. An order that was resting may open it once. */
const REOPENED_TIMES = 3;

/** Ends with one step `end`, whatever happens. After `stop` no further plan is opened. */
export async function* exitSymbol(
  access: OpenAccess,
  signer: ExitSigner,
  target: Target,
  by: Mandate,
  stop: AbortSignal,
): AsyncGenerator<SymbolStep> {
  const { symbol, action, position, pct } = target;
  const plans: string[] = [];
  let left = Big(position);
  let largest = left.abs();
  let executed = Big(0);
  let waitMs = FIRST_WAIT_MS;
  const end = (how: Ending, why = ""): SymbolStep => {
    const amounts = { before: position, executedQty: executed.toFixed(), left: left.toFixed() };
    return { symbol, kind: "end", end: { symbol, how, why, ...amounts, plans } };
  };
  try {
    for (;;) {
      if (stop.aborted) {
        yield end("interrupted", "you interrupted it");
        return;
      }
      const todo = target.quantity === undefined ? left.abs() : Big(target.quantity).minus(executed);
      const quantity = todo.gt(left.abs()) ? left.abs() : todo;
      const side = left.gt(0) ? "SELL" : "BUY";
      const amounts = { quantity: quantity.toFixed(), position: left.toFixed() };
      const opening = openedExit(access, signer, { action, symbol, pct, ...amounts }, by, stop);
      let opened = await opening.next();
      for (; opened.done !== true; opened = await opening.next())
        yield { symbol, kind: "sight", planId: "", sight: opened.value };
      const plan = opened.value;
      if (plan === undefined) {
        yield end("interrupted", "Redis did not answer: the last plan may still be taken");
        return;
      }
      const { planId } = plan;
      plans.push(planId);
      yield { symbol, kind: "plan", planId, side, quantity: amounts.quantity };

      const watched = watch(access, plan, target.quantity === undefined, stop);
      let seen = await watched.next();
      for (; seen.done !== true; seen = await watched.next())
        yield { symbol, kind: "sight", planId, sight: seen.value };
      const course = courseOf(seen.value, { left, todo, isWhole: target.quantity === undefined });
      left = course.left;
      if (left.abs().gt(largest)) largest = left.abs();
      executed = executed.plus(course.executed);
      if (course.executed.gt(0)) {
        const amounts = { quantity: course.executed.toFixed(), left: left.toFixed() };
        yield { symbol, kind: "executed", planId, ...amounts };
      }
      if (course.kind === "end") {
        yield end(course.how, course.why);
        return;
      }
      const reopened = executed.minus(Big(position).abs()).gt(largest.times(REOPENED_TIMES));
      if (target.quantity === undefined && reopened) {
        yield end("reopened", "somebody opens it again as fast as it is closed: stop that first");
        return;
      }
      if (course.kind === "at once") {
        waitMs = FIRST_WAIT_MS;
        continue;
      }
      const forMs = Math.max(waitMs, await pausedMs(access));
      yield { symbol, kind: "again", planId, why: course.why, waitMs: forMs };
      await waitOut(access, forMs, stop);
      waitMs = nextWaitMs(waitMs);
    }
  } catch (error) {
    // The other symbols go on.
    yield end("failed", (error as Error).message);
  }
}

/** @returns the plan's end, or why it is left: it has been in doubt for long, and another plan can go on without it */
async function* watch(
  access: OpenAccess,
  plan: SignedExit,
  leavesDoubt: boolean,
  stop: AbortSignal,
): AsyncGenerator<Exclude<Sight, { kind: "ended" }>, Sight> {
  let last: Sight = { kind: "lost" };
  for await (const sight of watchExit(access, plan, stop)) {
    last = sight;
    if (sight.kind === "ended" || (leavesDoubt && sight.kind === "long in doubt")) break;
    yield sight;
  }
  return last;
}
