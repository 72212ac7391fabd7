/** `doubt end`: an operator states the outcome of an order that the exchange does not resolve. */
import {
  ACTS_WITHIN_MS,
  awaitEndOfDoubt,
  duration,
  endDoubt,
  placeOfPlan,
  readOrder,
  type Statement,
} from "@quantum/operator";
import { type ChangeOptions, confirm } from "./confirm.ts";
import { CommandError, EXIT } from "./exit.ts";
import type { Session } from "./session.ts";

export interface DoubtOptions extends ChangeOptions {
  as: "executed" | "not-placed";
  /** For `executed`: decimal text. */
  quantity?: string;
}

/** Resolves once the executor has settled the order, by the exchange's answer or the operator's statement. */
export async function endDoubtCommand(
  session: Session,
  planId: string,
  options: DoubtOptions,
): Promise<void> {
  const { access, terminal } = session;
  const statement = statementOf(options);
  // Where nobody knows the plan, the account's partition says so.
  const place = (await placeOfPlan(access, planId)) ?? access.partitions.account;
  const order = await readOrder(place, planId);
  if (order.state !== "UNKNOWN") throw notInDoubt(planId, order.state ?? "none");
  const mandate = await confirm(session, options, [
    `Order ${order.client_order_id} (${order.symbol}, ${order.side} ${order.quantity}), in doubt for ${duration(access.nowMs() - Number(order.unknown_at_ms))}:`,
    statement.outcome === "EXECUTED"
      ? `to be recorded as EXECUTED, ${statement.quantity}: the limits are charged with it. This is not corrected later.`
      : "to be recorded as NOT_PLACED: the symbol is free again. If the order shows up within a day, the result is corrected.",
    "The executor first queries the exchange once more: if it knows the order, its answer counts.",
  ]);
  const stated = await endDoubt(place, planId, statement, mandate);
  if (stated.kind === "not in doubt") throw notInDoubt(planId, stated.state);
  if (stated.kind === "too much")
    throw new CommandError(
      EXIT.usage,
      `--quantity ${statement.quantity}: the order was for ${stated.ordered}; nothing was changed`,
    );

  const ended = await awaitEndOfDoubt(place, planId);
  if (ended.kind === "not known")
    throw new CommandError(
      EXIT.unreachable,
      `the statement is recorded. What the executor makes of it is not known, because Redis does not answer (${ended.problem.message}): permitctl explain ${planId} tells it later`,
    );
  if (ended.kind === "not there")
    throw new CommandError(
      EXIT.no,
      `the statement is recorded, but the executor did not act within ${ACTS_WITHIN_MS / 1_000} s. Is it running? Does the exchange answer? Does it list the order as open? The executor acts as soon as the exchange reports no such order`,
    );
  const { state, executedQty } = ended.found;
  const asStated = state === statement.outcome && executedQty === statement.quantity;
  terminal.print({ plan_id: planId, state, executed_qty: executedQty, as_stated: asStated }, [
    `${planId}: ${state ?? "its order key is gone"}${executedQty === "" ? "" : ` ${executedQty}`}${asStated ? ", as stated." : ": the exchange knows the order, so its answer counts."}`,
  ]);
}

function statementOf({ as, quantity }: DoubtOptions): Statement {
  if (as === "not-placed") {
    if (quantity !== undefined) throw new CommandError(EXIT.usage, "--quantity is for --as executed");
    return { outcome: "NOT_PLACED", quantity: "" };
  }
  if (quantity === undefined || !/^\d{1,15}(\.\d{1,20})?$/.test(quantity) || Number(quantity) <= 0)
    throw new CommandError(
      EXIT.usage,
      "--as executed requires --quantity: the executed quantity, above 0, as the exchange shows it",
    );
  return { outcome: "EXECUTED", quantity };
}

function notInDoubt(planId: string, state: string): CommandError {
  const is = state === "none" ? "it has no order" : `its order is ${state}`;
  return new CommandError(EXIT.no, `plan ${planId} is not in doubt: ${is}; nothing was changed`);
}
