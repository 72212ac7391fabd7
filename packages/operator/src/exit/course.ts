/** What follows from the end of an exit plan. Pure. */
import { meaningOf, type OrderReason } from "@quantum/contract";
import { Big } from "big.js";
import type { ExitResult, Sight } from "./plan.ts";

/** How a symbol ended. Only the first two are what was asked for. */
export type Ending =
  /** The venue reports no position. */
  | "flat"
  /** As much was closed as was asked for. */
  | "closed"
  /** What is left, or was asked for, is smaller than the venue's smallest order. */
  | "dust"
  /** No executor took the plan in time: nothing was sent. */
  | "nobody"
  /** The executor does not believe the signature, or the symbol cannot be closed by orders. */
  | "refused"
  /** The position is on the other side than the operator was shown. */
  | "side changed"
  /** It was closed several times over, and is open again. */
  | "reopened"
  /** It is not known whether the last order was executed. */
  | "in doubt"
  | "interrupted"
  | "failed";

/** `left`: the position now, as far as known. `executed`: by this plan, in coins. */
export type Course = { left: Big; executed: Big } & (
  | { kind: "at once" }
  | { kind: "wait"; why: string }
  | { kind: "end"; how: Ending; why: string }
);

export interface Standing {
  /** Before the plan, signed, in coins. */
  left: Big;
  /** What was still to be closed, in coins. */
  todo: Big;
  /** Whether everything is to be closed. */
  isWhole: boolean;
  /** Whether something was executed before. */
  isBegun: boolean;
}

/** They do not stop an exit: the executor asks them only if it does not believe the signature. */
const HALTS: ReadonlySet<string> = new Set<OrderReason>([
  "kill_switch_active",
  "kill_switch_unread",
  "disarmed",
]);

/** Another plan would be refused in the same way. */
const FINAL: ReadonlySet<string> = new Set<OrderReason>([
  "exit_not_enrolled",
  "permit_unsigned",
  "permit_forged",
  "permit_of_another_plan",
  "permits_not_spent",
  "symbol_unknown",
]);

export function courseOf(sight: Sight, standing: Standing): Course {
  const unchanged = { left: standing.left, executed: Big(0) };
  const end = (how: Ending, why: string): Course => ({ ...unchanged, kind: "end", how, why });
  switch (sight.kind) {
    case "ended":
      return afterResult(sight.result, standing);
    case "nobody":
      return end("nobody", "no executor took the plan within a minute: nothing was sent");
    case "abandoned":
      return end(
        "interrupted",
        "the last plan may still be taken, or is in doubt: look before you repeat it",
      );
    case "lost":
      // Of the whole position the next plan closes what the venue then reports. Of a part, it might close too much.
      return standing.isWhole
        ? { ...unchanged, kind: "wait", why: "Redis no longer knows the plan" }
        : end("in doubt", "Redis no longer knows the last plan: its order may have been executed");
    default:
      return {
        ...unchanged,
        kind: "wait",
        why: "the order has been in doubt for long: the venue's position decides",
      };
  }
}

function afterResult(result: ExitResult, { left, todo, isWhole, isBegun }: Standing): Course {
  const { outcome, reason } = result;
  const executed = Big(result.executedQty || "0");
  const now = { executed, left: positionAfter(result, left, executed) };
  const why = whyOf(result);
  const isFinal = outcome === "NOT_PLACED" && (FINAL.has(reason) || HALTS.has(reason));
  if (reason === "exit_flat") return { executed, left: Big(0), kind: "end", how: "flat", why: "" };
  if (isFinal) return { ...now, kind: "end", how: "refused", why };
  // Of a symbol without a position, only the venue can say that it still has none.
  const isTold = result.left !== "" || !left.eq(0);
  if (now.left.eq(0) && isTold) return { ...now, kind: "end", how: "flat", why: "" };
  if (!isWhole && executed.gte(todo)) return { ...now, kind: "end", how: "closed", why: "" };
  // Another order at once would only cost fees.
  if (executed.gt(0) && now.left.abs().gte(left.abs()))
    return {
      ...now,
      kind: "wait",
      why: `${executed.toFixed()} was executed, and ${now.left.toFixed()} is open again: who else trades on the account?`,
    };
  if (executed.gt(0)) return { ...now, kind: "at once" };
  if (reason === "quantity_below_minimum") {
    // More was opened than was signed: the next plan signs it.
    if (isWhole && now.left.abs().gt(todo)) return { ...now, kind: "wait", why };
    // Of a part, the rest that the venue's step leaves.
    const isRest = !isWhole && isBegun && todo.lt(left.abs());
    return { ...now, kind: "end", how: isRest ? "closed" : "dust", why };
  }
  if (reason === "exit_side_changed" && !isWhole) return { ...now, kind: "end", how: "side changed", why };
  return { ...now, kind: "wait", why };
}

/** What the venue said, or else what follows from the execution. */
function positionAfter({ left: told }: ExitResult, before: Big, executed: Big): Big {
  if (told !== "") return Big(told);
  return before.gt(0) ? before.minus(executed) : before.plus(executed);
}

/** Why a plan did not close anything, as part of a sentence: the venue's or the executor's words if there are any. */
export function whyOf({
  outcome,
  reason,
  detail,
}: Pick<ExitResult, "outcome" | "reason" | "detail">): string {
  if (HALTS.has(reason))
    return `${outcome} ${reason}: the executor does not know this key (EXECUTOR_OPERATOR_KEYS_FILE), or is of a release without exits`;
  const said = detail || (meaningOf(reason)?.meaning ?? "");
  return `${outcome} ${reason}${said === "" ? "" : `: ${said}`}`;
}
