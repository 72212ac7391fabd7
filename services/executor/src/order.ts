/** An order as the executor knows it, from its claim to its end. */
import type { ExecuteEntry } from "@quantum/contract";
import { clientOrderId, type Side } from "@quantum/exchange";

export interface OrderRef {
  planId: string;
  symbol: string;
  step: string;
}

/** A claimed order. */
export interface ClaimedOrder extends OrderRef {
  attempt: string;
  entryId: string;
  clientOrderId: string;
  side: Side;
  quantity: string;
}

export function refOf({ plan_id: planId, symbol, step }: ExecuteEntry): OrderRef {
  return { planId, symbol, step };
}

/** The order that an entry is to become. */
export function orderOf(
  entryId: string,
  entry: ExecuteEntry,
  { side, quantity }: { side: Side; quantity: string },
): ClaimedOrder {
  return {
    ...refOf(entry),
    attempt: entry.attempt,
    entryId,
    clientOrderId: clientOrderId(entry.plan_id, entry.attempt_no),
    side,
    quantity,
  };
}

/** A claimed order as stored in Redis. */
export interface KnownOrder extends ClaimedOrder {
  /** `NOT_PLACED`: by evidence of absence; still queried in case it appears. */
  state: "SENT" | "UNKNOWN" | "NOT_PLACED";
  claimedAtMs: number;
  /** In venue time: when its send window began, and when it ends. */
  venueMs: number;
  windowEndMs: number;
  /** The position in its permits; undefined if the claim has none. */
  positionAmt: string | undefined;
  /** An operator's statement about it. */
  stated: Statement | undefined;
}

/** An operator's statement about an order in doubt. */
export interface Statement {
  outcome: "EXECUTED" | "NOT_PLACED";
  /** The executed quantity as decimal text; "" for NOT_PLACED. */
  quantity: string;
}

/** What a query showed: `absent` and `there` are evidence, `none` is not. */
export type Answer = "absent" | "there" | "none";
