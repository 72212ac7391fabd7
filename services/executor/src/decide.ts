/** What an order should be, what an answer from the exchange means, and what counts as evidence. Pure. */
import { dumpPythonJson, type ExecuteEntry, type OrderReason } from "@quantum/contract";
import {
  type Concern,
  concernOf,
  floorToStep,
  isClosed,
  type OrderState,
  type Placement,
  type Side,
  type SymbolRules,
  type Trade,
} from "@quantum/exchange";
import { Big } from "big.js";
import type { Answer, Statement } from "./order.ts";

export interface OrderIntent {
  side: Side;
  /** Decimal text; "0" if there is nothing to order. */
  quantity: string;
  /** The plan would close more, but the venue takes no larger order. The next proposal closes more. */
  cappedByVenue?: true;
  /** Why it cannot be placed. */
  refusal?: OrderReason;
}

/**
 * The order that the spent permits allow: the smallest of the safe quantity, the cap and the share of the position,
 * rounded down to the symbol's step (I5: never above the position). Only minQty is checked, because the venue exempts
 * reduce-only orders from minNotional and P3.3 has already denied those below it.
 *
 * @param entry with the amounts of its verified permits
 * @param rules undefined if the venue does not trade the symbol
 */
export function orderIntent(
  entry: Pick<ExecuteEntry, "position_amt" | "safe_qty" | "max_qty" | "close_pct">,
  rules: SymbolRules | undefined,
): OrderIntent {
  const position = Big(entry.position_amt);
  const side = position.gt(0) ? "SELL" : "BUY";
  if (rules === undefined) return { side, quantity: "0", refusal: "symbol_unknown" };
  const floored = (limit: Big) => Big(floorToStep(limit.toFixed(), rules.stepSize));
  const planned = floored(
    least(
      position.abs(),
      position.abs().times(entry.close_pct).times("0.01"),
      ...(entry.max_qty === "" ? [] : [Big(entry.max_qty)]),
    ),
  );
  const largest = floored(Big(rules.maxQty));
  const amount = floored(least(planned, largest, Big(entry.safe_qty)));
  const quantity = amount.toFixed();
  if (amount.lte(0) || amount.lt(rules.minQty)) return { side, quantity, refusal: "quantity_below_minimum" };
  // P3.3 may have applied the venue's limit already, so the safe quantity does not tell.
  return amount.eq(largest) && planned.gt(largest)
    ? { side, quantity, cappedByVenue: true }
    : { side, quantity };
}

function least(first: Big, ...others: readonly Big[]): Big {
  return others.reduce((smallest, other) => (other.lt(smallest) ? other : smallest), first);
}

/** How an order ended. */
export interface Settlement {
  outcome: "EXECUTED" | "REJECTED" | "NOT_PLACED";
  reason: OrderReason | "";
  /** The exchange's message, or empty. */
  detail: string;
  /** Empty, like the next two fields, if the exchange has no such order. */
  orderId: string;
  executedQty: string;
  avgPrice: string;
}

/** Why an order is in doubt. */
export const DOUBTS = [
  /** The request ended without an answer that shows whether the order was executed. */
  "answer_ambiguous",
  /** Accepted, but not closed when it was queried at once. */
  "not_closed_yet",
  /** An open order has the client order id. */
  "already_placed",
  /** A previous delivery claimed it and did not finish, or Redis may have forgotten that. */
  "claimed_before",
  /** The send window has passed, and the claiming process has not settled it. */
  "claimant_silent",
] as const;
export type Doubt = (typeof DOUBTS)[number];

/** What showed how a claimed order ended. */
export const SETTLED_BY = [
  /** The answer to its placement. */
  "answer",
  /** An event of the account's user data stream. */
  "event",
  /** A query. */
  "query",
  /** Nothing needed to: it was not sent. */
  "unsent",
] as const;
export type SettledBy = (typeof SETTLED_BY)[number];

export type NextStep =
  /** `code`: of the venue's refusal, if it refused the order. */
  | { kind: "settle"; settlement: Settlement; code?: number | undefined }
  /** The venue has it and has not said how it ended: query it by its id, which proves more than any wait. */
  | { kind: "query"; orderId: string; status: string }
  | { kind: "doubt"; doubt: Doubt; detail: string };

const REFUSALS = {
  rules: "rejected_by_rules",
  symbol: "rejected_by_exchange",
  account: "rejected_for_account",
} as const satisfies Record<Concern, OrderReason>;

/** The step after the only send. Never "send again". */
export function afterPlacement(placement: Placement): NextStep {
  switch (placement.outcome) {
    case "answered":
      return { kind: "settle", settlement: settlementOf(placement.order) };
    case "acknowledged":
      return { kind: "query", orderId: placement.orderId, status: placement.status };
    case "rejected":
      return {
        kind: "settle",
        settlement: withoutOrder("REJECTED", REFUSALS[concernOf(placement.code)], placement.message),
        code: placement.code,
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

/**
 * The step after querying an acknowledged order by its id.
 * @param order undefined if the query gave no answer, or did not find the order yet
 * @param status of the acknowledgement
 */
export function afterAcknowledgement(
  order: OrderState | undefined,
  status: string,
): Exclude<NextStep, { kind: "query" }> {
  if (order !== undefined && isClosed(order)) return { kind: "settle", settlement: settlementOf(order) };
  return { kind: "doubt", doubt: "not_closed_yet", detail: order?.status ?? status };
}

/** The exchange's answer to a query by client order id. */
export interface QueryAnswer {
  order: OrderState | undefined;
  /** Venue time in ms, read before the query was sent. */
  venueMs: number;
}

export type QueryConclusion = { kind: "settle"; settlement: Settlement } | { kind: "open"; answer: Answer };

/**
 * A closed order settles. "No such order" only counts if the send window had passed before the query: until then the
 * order may still arrive.
 */
export function weigh({ order, venueMs }: QueryAnswer, windowEndMs: number): QueryConclusion {
  if (order === undefined) return { kind: "open", answer: venueMs > windowEndMs ? "absent" : "none" };
  if (!isClosed(order)) return { kind: "open", answer: "there" };
  return { kind: "settle", settlement: settlementOf(order) };
}

/** The settlement after the exchange has denied the order for long enough and the account shows no trace of it. */
export const NOT_PLACED_BY_EVIDENCE: Settlement = withoutOrder("NOT_PLACED", "not_placed_by_evidence", "");

/** The settlement that an operator stated, used once the exchange denies the order and the account does not list it. */
export function settlementAsStated({ outcome, quantity }: Statement): Settlement {
  if (outcome === "NOT_PLACED") return withoutOrder(outcome, "not_placed_by_operator", "");
  return { outcome, reason: "", detail: STATED, orderId: "", executedQty: quantity, avgPrice: "" };
}
const STATED = "stated_by_operator";

/** An order that was claimed and, for certain, not sent. */
export function notJournaled(detail: string): Settlement {
  return withoutOrder("NOT_PLACED", "journal_failed", detail);
}

/** The same: too few replicas have its claim. */
export function notReplicated(detail: string): Settlement {
  return withoutOrder("NOT_PLACED", "claim_not_replicated", detail);
}

function withoutOrder(outcome: "REJECTED" | "NOT_PLACED", reason: OrderReason, detail: string): Settlement {
  return { outcome, reason, detail, orderId: "", executedQty: "", avgPrice: "" };
}

/** @param order a closed one: its filled quantity is final, even if less than ordered */
export function settlementOf({
  orderId,
  executedQty,
  avgPrice,
  status,
}: Pick<OrderState, "orderId" | "executedQty" | "avgPrice" | "status">): Settlement {
  const detail = status === "FILLED" ? "" : status;
  return Big(executedQty).gt(0)
    ? { outcome: "EXECUTED", reason: "", detail, orderId, executedQty, avgPrice }
    : { outcome: "REJECTED", reason: "not_filled", detail, orderId, executedQty: "", avgPrice: "" };
}

/** Of an order's trades, to 8 decimals; "" unless they are all of them, each with a price. */
export function averagePrice(
  trades: readonly Trade[],
  { orderId, executedQty }: Pick<Settlement, "orderId" | "executedQty">,
): string {
  const own = trades.filter((trade) => trade.orderId === orderId);
  const filled = own.reduce((sum, { qty }) => sum.plus(qty), Big(0));
  if (own.some(({ price }) => price === "") || filled.eq(0) || !filled.eq(executedQty)) return "";
  const paid = own.reduce((sum, { price, qty }) => sum.plus(Big(price).times(qty)), Big(0));
  return paid.div(filled).round(PRICE_DECIMALS).toFixed();
}

/** As many as the venue writes at most. */
const PRICE_DECIMALS = 8;

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
