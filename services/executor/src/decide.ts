/** What an order is to be, what an answer of the exchange means, and what counts as evidence. Pure. */
import { dumpPythonJson, type ExecuteEntry, type OrderReason } from "@quantum/contract";
import {
  type Concern,
  concernOf,
  floorToStep,
  isClosed,
  type ListedOrder,
  type OrderState,
  type Placement,
  type Side,
  type SymbolRules,
  type Trade,
} from "@quantum/exchange";
import { Big } from "big.js";
import type { Answer, KnownOrder, Statement } from "./order.ts";

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
  /** The request ended without an answer that shows whether it was executed. */
  "answer_ambiguous",
  /** Accepted, but not closed when the answer was written. */
  "not_closed_yet",
  /** An open order has the client order id. */
  "already_placed",
  /** Claimed before, by a delivery that did not come to its end or that Redis may have forgotten. */
  "claimed_before",
  /** The send window passed and the claiming process has not settled it. */
  "claimant_silent",
] as const;
export type Doubt = (typeof DOUBTS)[number];

export type NextStep =
  | { kind: "settle"; settlement: Settlement }
  | { kind: "doubt"; doubt: Doubt; detail: string };

const REFUSALS = {
  rules: "rejected_by_rules",
  symbol: "rejected_by_exchange",
  account: "rejected_for_account",
} as const satisfies Record<Concern, OrderReason>;

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
        settlement: withoutOrder("REJECTED", REFUSALS[concernOf(placement.code)], placement.message),
      };
    case "expired":
      return { kind: "settle", settlement: withoutOrder("NOT_PLACED", "execute_expired", placement.message) };
    case "retry_after":
      return { kind: "settle", settlement: withoutOrder("NOT_PLACED", "rate_limited", placement.message) };
    case "unavailable":
      return {
        kind: "settle",
        settlement: withoutOrder("NOT_PLACED", "exchange_unavailable", placement.message),
      };
    case "already_placed":
      return { kind: "doubt", doubt: "already_placed", detail: "" };
    case "ambiguous":
    default:
      return { kind: "doubt", doubt: "answer_ambiguous", detail: placement.reason };
  }
}

/** What the exchange answered to a query by client order id. */
export interface QueryAnswer {
  order: OrderState | undefined;
  /** Venue time before the query was sent, in ms. */
  venueMs: number;
}

export type QueryConclusion = { kind: "settle"; settlement: Settlement } | { kind: "open"; answer: Answer };

/**
 * A closed order settles. "No such order" counts only when the send window had passed before the question was asked:
 * until then the order may still arrive.
 */
export function weigh({ order, venueMs }: QueryAnswer, windowEndMs: number): QueryConclusion {
  if (order === undefined) return { kind: "open", answer: venueMs > windowEndMs ? "absent" : "none" };
  if (!isClosed(order)) return { kind: "open", answer: "there" };
  return { kind: "settle", settlement: settlementOf(order) };
}

/** What follows once the exchange has denied the order for long enough, and its account shows nothing of it. */
export const NOT_PLACED_BY_EVIDENCE: Settlement = withoutOrder("NOT_PLACED", "not_placed_by_evidence", "");

/** What follows from an operator's statement, once the exchange has denied the order and its account does not list it. */
export function settlementAsStated({ outcome, quantity }: Statement): Settlement {
  if (outcome === "NOT_PLACED") return withoutOrder(outcome, "not_placed_by_operator", "");
  return { outcome, reason: "", detail: STATED, orderId: "", executedQty: quantity, avgPrice: "" };
}
const STATED = "stated_by_operator";

/** The account since the permits were given: what an order leaves behind, whatever a query for it says. */
export interface Account {
  positionAmt: string;
  /** Ascending by id. Each is of an order in `orders`, or else of unknown origin. */
  trades: readonly Trade[];
  orders: readonly ListedOrder[];
}

export type AccountFinding =
  | { kind: "found"; orderId: string }
  /** Nothing of the order to be seen. */
  | { kind: "silent" }
  /** Something that the order could explain, and nothing else does. */
  | { kind: "moved"; why: string };

type Doubted = Pick<KnownOrder, "clientOrderId" | "side" | "quantity" | "positionAmt">;

/** The exchange's parts lag independently, so each of them is checked. */
export function judgeAccount({ positionAmt, trades, orders }: Account, order: Doubted): AccountFinding {
  const found = orders.find(({ clientOrderId }) => clientOrderId === order.clientOrderId);
  if (found !== undefined) return { kind: "found", orderId: found.orderId };
  const known = new Set(orders.map(({ orderId }) => orderId));
  const unknown = trades.find(({ orderId }) => !known.has(orderId));
  if (unknown !== undefined) {
    return { kind: "moved", why: `trade ${unknown.id} is of order ${unknown.orderId}, which is unknown` };
  }
  if (order.positionAmt === undefined || !isMovedBy(order, order.positionAmt, positionAmt, trades)) {
    return { kind: "silent" };
  }
  return {
    kind: "moved",
    why: `the position went from ${order.positionAmt} to ${positionAmt}, and the trades do not tell why`,
  };
}

/**
 * Whether the position moved in a way that the order explains and the trades alone do not. The permits' position is some
 * seconds older than the permits and the trades are read after the position, so any run of the trades may lie between.
 */
function isMovedBy(order: Doubted, before: string, now: string, trades: readonly Trade[]): boolean {
  const moved = units(now) - units(before);
  const quantity = units(order.quantity);
  const sums = [0n];
  for (const { side, qty } of trades)
    sums.push((sums.at(-1) ?? 0n) + (side === "BUY" ? units(qty) : -units(qty)));
  let isExplainedByOrder = false;
  for (const [end, after] of sums.entries()) {
    for (let start = 0; start <= end; start += 1) {
      const rest = moved - (after - (sums[start] ?? 0n));
      if (rest === 0n) return false;
      const ordered = order.side === "BUY" ? rest : -rest;
      if (ordered > 0n && ordered <= quantity) isExplainedByOrder = true;
    }
  }
  return isExplainedByOrder;
}

/** Whole numbers, because every run of the trades is summed. No venue counts in smaller units. */
const UNITS = 10 ** 8;

function units(quantity: string): bigint {
  return BigInt(Big(quantity).times(UNITS).toFixed(0));
}

function withoutOrder(outcome: "REJECTED" | "NOT_PLACED", reason: OrderReason, detail: string): Settlement {
  return { outcome, reason, detail, orderId: "", executedQty: "", avgPrice: "" };
}

/** @param order a closed one: what it filled is final, even if that is less than was ordered */
export function settlementOf({ orderId, executedQty, avgPrice, status }: OrderState): Settlement {
  const detail = status === "FILLED" ? "" : status;
  return Big(executedQty).gt(0)
    ? { outcome: "EXECUTED", reason: "", detail, orderId, executedQty, avgPrice }
    : { outcome: "REJECTED", reason: "not_filled", detail, orderId, executedQty: "", avgPrice: "" };
}

/** The result entry's `steps_results` (docs/wire.md, "Streams"). */
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
      details: `Order ${orderId || detail}: ${side} ${executedQty} @ MARKET (reduceOnly)`,
      order_id: orderId,
      side,
      quantity,
      executed_qty: executedQty,
      reduce_only: true,
    },
  ]);
}
