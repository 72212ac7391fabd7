/**
 * Closes one symbol with one exit plan after another, until the venue says that it is flat, or that as much was closed as
 * was asked for. The venue decides at every step: each plan signs no more than what it last reported, and the executor
 * reads the position again before it sends.
 */
import { Big } from "big.js";
import type { OpenAccess } from "../access.ts";
import type { Mandate } from "../changes.ts";
import { courseOf, type Ending } from "./course.ts";
import type { ExitOrder, ExitSigner } from "../open-exit.ts";
import { openedExit, type Sight, watchExit } from "./plan.ts";
import { FIRST_WAIT_MS, nextWaitMs, pausedMs, waitForMemory, waitOut } from "./wait.ts";

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
  /** Those of the plans of which it is not known whether their order was executed. The executor goes on asking. */
  doubts: string[];
}

/** Ends with one step `end`, whatever happens. After `stop` no further plan is opened. */
export async function* exitSymbol(
  access: OpenAccess,
  signer: ExitSigner,
  target: Target,
  by: Mandate,
  stop: AbortSignal,
): AsyncGenerator<SymbolStep> {
  const { symbol, position } = target;
  const isWhole = target.quantity === undefined;
  const plans: string[] = [];
  const doubts: string[] = [];
  let left = Big(position);
  let largest = left.abs();
  let executed = Big(0);
  let waitMs = FIRST_WAIT_MS;
  const end = (how: Ending, why = ""): SymbolStep => {
    const amounts = { before: position, executedQty: executed.toFixed(), left: left.toFixed() };
    return { symbol, kind: "end", end: { symbol, how, why, ...amounts, plans, doubts } };
  };
  async function* close(): AsyncGenerator<SymbolStep, SymbolStep> {
    for (;;) {
      for await (const wait of waitForMemory(access, stop))
        yield { symbol, kind: "again", planId: plans.at(-1) ?? "", ...wait };
      if (stop.aborted) return end("interrupted", "you interrupted it");
      const todo = isWhole ? left.abs() : Big(target.quantity ?? "0").minus(executed);
      const quantity = todo.gt(left.abs()) ? left.abs() : todo;
      const seen = yield* oneMore(access, signer, { target, left, quantity, by }, stop);
      if (seen === undefined)
        return end("interrupted", "Redis did not answer: the last plan may still be taken");
      const { planId, sight } = seen;
      plans.push(planId);
      if (sight.kind === "long in doubt" || sight.kind === "lost") doubts.push(planId);
      const course = courseOf(sight, { left, todo, isWhole, isBegun: executed.gt(0) });
      left = course.left;
      if (left.abs().gt(largest)) largest = left.abs();
      executed = executed.plus(course.executed);
      if (course.executed.gt(0)) {
        const amounts = { quantity: course.executed.toFixed(), left: left.toFixed() };
        yield { symbol, kind: "executed", planId, ...amounts };
      }
      if (course.kind === "end") return end(course.how, course.why);
      // More than an order could open that was resting before.
      if (isWhole && executed.minus(Big(position).abs()).gt(largest))
        return end("reopened", "somebody opens it again as fast as it is closed: stop that first");
      if (course.kind === "at once") {
        waitMs = FIRST_WAIT_MS;
        continue;
      }
      const forMs = Math.max(waitMs, await pausedMs(access));
      yield { symbol, kind: "again", planId, why: course.why, waitMs: forMs };
      await waitOut(access, forMs, stop);
      waitMs = nextWaitMs(waitMs);
    }
  }

  try {
    yield yield* close();
  } catch (error) {
    // The other symbols go on.
    yield end("failed", (error as Error).message);
  }
}

interface Next {
  target: Target;
  /** Signed, in coins. */
  left: Big;
  quantity: Big;
  by: Mandate;
}

/**
 * Opens one plan, and watches it.
 * @returns its end, or why it is left: it has been in doubt for long, and another plan can go on without it. Undefined if
 *   Redis did not answer before `stop`
 */
async function* oneMore(
  access: OpenAccess,
  signer: ExitSigner,
  { target, left, quantity, by }: Next,
  stop: AbortSignal,
): AsyncGenerator<SymbolStep, { planId: string; sight: Sight } | undefined> {
  const { symbol, action, pct } = target;
  const order = { action, symbol, pct, quantity: quantity.toFixed(), position: left.toFixed() };
  const opening = openedExit(access, signer, order, by, stop);
  let opened = await opening.next();
  for (; opened.done !== true; opened = await opening.next())
    yield { symbol, kind: "sight", planId: "", sight: opened.value };
  if (opened.value === undefined) return undefined;
  const { planId } = opened.value;
  yield { symbol, kind: "plan", planId, side: left.gt(0) ? "SELL" : "BUY", quantity: order.quantity };
  let last: Sight = { kind: "lost" };
  for await (const sight of watchExit(access, opened.value, stop)) {
    last = sight;
    // Of the whole position, the next plan closes what the venue then reports. Of a part, it might close too much.
    if (sight.kind === "ended" || (target.quantity === undefined && sight.kind === "long in doubt")) break;
    yield { symbol, kind: "sight", planId, sight };
  }
  return { planId, sight: last };
}
