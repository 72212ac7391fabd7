/** An order as the executor knows it, from its claim to its end. */

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
  side: string;
  quantity: string;
}

/** A claimed order as Redis knows it. */
export interface KnownOrder extends ClaimedOrder {
  /** `NOT_PLACED`: by evidence of absence, and queried in case it shows up. */
  state: "SENT" | "UNKNOWN" | "NOT_PLACED";
  claimedAtMs: number;
  /** In venue time: when its send window began, and after which nothing of it can be executed. */
  venueMs: number;
  windowEndMs: number;
  /** The position that its permits spoke of; undefined where the claim did not say. */
  positionAmt: string | undefined;
  /** What an operator states of it. */
  stated: Statement | undefined;
}

/** What an operator states of an order in doubt. */
export interface Statement {
  outcome: "EXECUTED" | "NOT_PLACED";
  /** What was executed, as decimal text; "" of NOT_PLACED. */
  quantity: string;
}

/** What a question brought: `absent` and `there` are evidence, `none` is neither. */
export type Answer = "absent" | "there" | "none";
