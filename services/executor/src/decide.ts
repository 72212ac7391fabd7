/** What an order is to be, what an answer of the exchange means, and what counts as evidence. Pure. */
import { dumpPythonJson, type ExecuteEntry, type OrderReason } from "@quantum/contract";
import {
  floorToStep,
  isClosed,
  type OrderState,
  type Placement,
  type Side,
  type SymbolRules,
} from "@quantum/exchange";
import { Big } from "big.js";

export interface OrderIntent {
  side: Side;
  /** Decimal text; "0" where there is nothing to order. */
  quantity: string;
  /** Why it cannot be placed at all. */
  refusal?: OrderReason;
}

/**
 * The order that the spent permits allow: the smallest of the safe quantity, the cap and the share of the position,
 * floored to the symbol's step (I5: never above the position). Only minQty is checked: the venue exempts reduce-only
 * orders from minNotional, and P3.3 has refused those already.
 *
 * @param rules undefined if the venue does not trade the symbol
 */
export function orderIntent(
  entry: ExecuteEntry,
  rules: SymbolRules | undefined,
  simulatedVenue: boolean,
): OrderIntent {
  const position = Big(entry.position_amt);
  const side = position.gt(0) ? "SELL" : "BUY";
  if (entry.mode === "paper" && !simulatedVenue) return { side, quantity: "0", refusal: "paper_plan" };
  if (rules === undefined) return { side, quantity: "0", refusal: "symbol_unknown" };
  const limits = [
    Big(entry.safe_qty),
    ...(entry.max_qty === "" ? [] : [Big(entry.max_qty)]),
    position.abs().times(entry.close_pct).times("0.01"),
    position.abs(),
    Big(rules.maxQty),
  ];
  const smallest = limits.reduce((least, limit) => (limit.lt(least) ? limit : least));
  const quantity = floorToStep(smallest.toFixed(), rules.stepSize);
  const tooSmall = Big(quantity).lte(0) || Big(quantity).lt(rules.minQty);
  return tooSmall ? { side, quantity, refusal: "quantity_below_minimum" } : { side, quantity };
}

/** How an order ended. */
export interface Settlement {
  outcome: "EXECUTED" | "REJECTED" | "NOT_PLACED";
  reason: OrderReason | "";
  /** The exchange's own words, or empty. */
  detail: string;
  /** All three empty if the exchange has no such order. */
  orderId: string;
  executedQty: string;
  avgPrice: string;
}

/** Why an order is in doubt. */
export const DOUBTS = [
  /** The request ended without an answer that tells whether it was executed. */
  "answer_ambiguous",
  /** Accepted, but not closed when the answer was written. */
  "not_closed_yet",
  /** An open order has the client order id. */
  "already_placed",
  /** Claimed before, by a delivery that did not come to its end or that Redis may have forgotten. */
  "claimed_before",
  /** The send window passed and whoever claimed it has not settled it. */
  "claimant_silent",
] as const;
export type Doubt = (typeof DOUBTS)[number];

export type NextStep =
  | { kind: "settle"; settlement: Settlement }
  | { kind: "doubt"; doubt: Doubt; detail: string };

/** What follows from the one answer to the one send. Never "send again". */
export function afterPlacement(placement: Placement): NextStep {
  switch (placement.outcome) {
    case "answered":
      return isClosed(placement.order)
        ? { kind: "settle", settlement: settlementOf(placement.order) }
        : { kind: "doubt", doubt: "not_closed_yet", detail: placement.order.status };
    case "rejected":
      return {
        kind: "settle",
        settlement: withoutOrder("REJECTED", "rejected_by_exchange", placement.message),
      };
    case "expired":
      return { kind: "settle", settlement: withoutOrder("NOT_PLACED", "execute_expired", placement.message) };
    case "retry_after":
      return { kind: "settle", settlement: withoutOrder("NOT_PLACED", "rate_limited", placement.message) };
    case "already_placed":
      return { kind: "doubt", doubt: "already_placed", detail: "" };
    case "ambiguous":
    default:
      return { kind: "doubt", doubt: "answer_ambiguous", detail: placement.reason };
  }
}

/** Two, some time apart: the venue may answer a query from a copy that lags behind its engine. */
const NEGATIVES_NEEDED = 2;

/** What the exchange answered to a query by client order id. */
export interface Evidence {
  order: OrderState | undefined;
  /** Venue time before the query was sent, in ms. */
  venueMs: number;
}

export type Finding = { kind: "settle"; settlement: Settlement } | { kind: "open"; negatives: number };

/**
 * A closed order settles. "No such order" counts only when the send window had passed before the question was asked
 * (until then the order may still arrive), and only the second such answer proves that there was none.
 *
 * @param negatives how many such answers came before
 */
export function weigh({ order, venueMs }: Evidence, windowEndMs: number, negatives: number): Finding {
  if (order !== undefined) {
    return isClosed(order)
      ? { kind: "settle", settlement: settlementOf(order) }
      : { kind: "open", negatives: 0 };
  }
  const counted = venueMs > windowEndMs ? negatives + 1 : 0;
  if (counted < NEGATIVES_NEEDED) return { kind: "open", negatives: counted };
  return { kind: "settle", settlement: withoutOrder("NOT_PLACED", "not_placed_by_evidence", "") };
}

function withoutOrder(outcome: "REJECTED" | "NOT_PLACED", reason: OrderReason, detail: string): Settlement {
  return { outcome, reason, detail, orderId: "", executedQty: "", avgPrice: "" };
}

/** @param order a closed one: what it filled is final, even if that is less than was ordered */
function settlementOf({ orderId, executedQty, avgPrice, status }: OrderState): Settlement {
  const detail = status === "FILLED" ? "" : status;
  return Big(executedQty).gt(0)
    ? { outcome: "EXECUTED", reason: "", detail, orderId, executedQty, avgPrice }
    : { outcome: "REJECTED", reason: "not_filled", detail, orderId, executedQty: "", avgPrice: "" };
}

/** The result entry's `steps_results` (WIRE.md, "Streams"). */
export function stepsResults(
  order: { step: string; side: string; quantity: string },
  settlement: Settlement,
): string {
  const { step, side, quantity } = order;
  const { orderId, executedQty, reason, detail } = settlement;
  if (settlement.outcome !== "EXECUTED") {
    const details = detail === "" ? reason : `${reason}: ${detail}`;
    return dumpPythonJson([{ step, status: "failed", details }]);
  }
  return dumpPythonJson([
    {
      step,
      status: "success",
      details: `Order ${orderId}: ${side} ${executedQty} @ MARKET (reduceOnly)`,
      order_id: orderId,
      side,
      quantity,
      executed_qty: executedQty,
      reduce_only: true,
    },
  ]);
}
