/**
 * Which orders to query at the exchange, when, and its answers so far. Everything is in Redis (typed wrappers of
 * `lua/orders/ask`, `note` and `adopt`), so a restart, a replica or a lost timer changes nothing.
 */
import {
  type Keys,
  orderRecord,
  type OrderReason,
  parseRecord,
  readableFields,
  TTL_SEC,
  type Values,
} from "@quantum/contract";
import { bindScript, type RedisClient } from "@quantum/redis";
import { type Settlement, stepsResults } from "./decide.ts";
import type { ExecutorEvents } from "./events.ts";
import type { Answer, ClaimedOrder, KnownOrder } from "./order.ts";

const askScript = bindScript("orders/ask");
const noteScript = bindScript("orders/note");
const adoptScript = bindScript("orders/adopt");

/** How long until another process takes over from one that died. Two concurrent queries only cost a request. */
const LEASE_MS = 3_000;
/** The longest pauses between queries: for orders in doubt, and for orders that ended by evidence of absence. */
export const LONGEST_PAUSE_MS = 5_000;
export const LATE_LONGEST_PAUSE_MS = 3_600_000;
/** How long an order that ended by evidence of absence is queried. */
const LATE_MS = 24 * 3_600_000;

export interface Listed {
  planId: string;
  symbol: string;
  /** It ended by evidence of absence and is rarely queried. */
  isLate: boolean;
}

export interface Note {
  answer: Answer;
  /** Time since this process's previous `absent`, by its monotonic clock; 0 without one. */
  elapsedMs: number;
  /** How long the exchange must deny the order. */
  absenceMs: number;
  pauseMs: number;
}

export type Queries = ReturnType<typeof createQueries>;

export function createQueries(options: { redis: RedisClient; keys: Keys; events: ExecutorEvents }) {
  const { redis, keys, events } = options;

  /** @returns the order if the caller should query it now; else in how many ms it may be due, if ever */
  async function take(
    planId: string,
    symbol: string,
  ): Promise<{ order: KnownOrder; queriedBefore: number } | { dueInMs: number }> {
    const [status, detail] = await askScript(redis, {
      keys: {
        order: keys.order(planId),
        absent: keys.absent(symbol),
        absent_claims: keys.absentClaims,
      },
      args: {
        plan_id: planId,
        lease_ms: String(LEASE_MS),
        longest_ms: String(Math.max(LEASE_MS, LONGEST_PAUSE_MS)),
        late_longest_ms: String(LATE_LONGEST_PAUSE_MS),
        late_ms: String(LATE_MS),
      },
    });
    if (status === "LATER") return { dueInMs: Number(detail) };
    if (status === "NOTHING") return { dueInMs: Infinity };
    const order = await read(planId);
    return order === undefined ? { dueInMs: Infinity } : { order, queriedBefore: Number(detail) };
  }

  async function note(
    { planId, attempt }: ClaimedOrder,
    { answer, elapsedMs, absenceMs, pauseMs }: Note,
  ): Promise<{ absentMs: number; isLongEnough: boolean } | undefined> {
    const [status, , absentMs] = await noteScript(redis, {
      keys: { order: keys.order(planId) },
      args: {
        attempt,
        answer,
        elapsed_ms: String(Math.floor(elapsedMs)),
        absence_ms: String(absenceMs),
        pause_ms: String(pauseMs),
      },
    });
    if (status === "SETTLED") return undefined;
    return { absentMs: Number(absentMs), isLongEnough: status === "ABSENT" };
  }

  /** Corrects the result of an order that was settled as not placed. Only the first correction counts. */
  async function adopt(order: KnownOrder, settlement: Settlement): Promise<void> {
    const { planId, symbol, step, attempt } = order;
    const [status, corrects = ""] = await adoptScript(redis, {
      keys: {
        order: keys.order(planId),
        absent: keys.absent(symbol),
        absent_claims: keys.absentClaims,
        plan: keys.plan(planId),
        results: keys.streams.result,
      },
      args: {
        plan_id: planId,
        attempt,
        detail: settlement.detail,
        order_id: settlement.orderId,
        executed_qty: settlement.executedQty,
        avg_price: settlement.avgPrice,
        steps_results: stepsResults(order, settlement),
        settled_sec: String(TTL_SEC.order),
      },
    });
    if (status === "ADOPTED") events.emit("corrected", { planId, symbol, step, corrects, ...settlement });
  }

  /**
   * Undefined if there is no claim, or nothing left to resolve.
   * @throws RecordError if the claim cannot be read
   */
  async function read(planId: string): Promise<KnownOrder | undefined> {
    const key = keys.order(planId);
    return knownOrder(key, await redis.hgetall(key));
  }

  /** Every order that may need a query. If there are none, this takes two commands for any number of symbols. */
  async function list(): Promise<Listed[]> {
    return listOf((symbol) => [
      { key: keys.unsettled(symbol), isLate: false },
      { key: keys.absent(symbol), isLate: true },
    ]);
  }

  /**
   * When each order in doubt was claimed; undefined if its claim does not say. An unreadable claim counts as in doubt
   * and does not hide others.
   */
  async function listDoubts(): Promise<(number | undefined)[]> {
    const unsettled = await listOf((symbol) => [{ key: keys.unsettled(symbol), isLate: false }]);
    const claims = await Promise.all(unsettled.map(({ planId }) => redis.hgetall(keys.order(planId))));
    return claims
      .filter((hash) => Object.keys(hash).length > 0)
      .map((hash) => readableFields(orderRecord, hash, ["state", "claimed_at_ms"]).fields)
      .filter(({ state = "UNKNOWN" }) => state === "UNKNOWN")
      .map(({ claimed_at_ms: claimedAtMs }) => (claimedAtMs === undefined ? undefined : Number(claimedAtMs)));
  }

  async function listOf(indexes: (symbol: string) => { key: string; isLate: boolean }[]): Promise<Listed[]> {
    const symbols = await redis.smembers(keys.orderSymbols);
    if (symbols.length === 0 || (await redis.exists(symbols.flatMap(indexes).map(({ key }) => key))) === 0)
      return [];
    const listed = symbols.flatMap((symbol) =>
      indexes(symbol).map(async ({ key, isLate }) =>
        (await redis.zrange(key, 0, -1)).map((planId) => ({ planId, symbol, isLate })),
      ),
    );
    return (await Promise.all(listed)).flat();
  }

  return { take, note, adopt, read, list, listDoubts };
}

function knownOrder(key: string, hash: Record<string, string>): KnownOrder | undefined {
  const { state, reason = "" } = hash;
  // Earlier versions wrote NOT_PLACED.
  const isAbsent = (state === "UNPLACED" || state === "NOT_PLACED") && ABSENT.has(reason);
  if (state !== "SENT" && state !== "UNKNOWN" && !isAbsent) return undefined;
  const claim = parseRecord(
    orderRecord,
    key,
    hash,
    [
      "plan_id",
      "symbol",
      "step",
      "attempt",
      "entry_id",
      "client_order_id",
      "side",
      "quantity",
      "claimed_at_ms",
      "venue_ms",
      "window_end_ms",
    ],
    ["position_amt", "stated_outcome", "stated_qty"],
  );
  return {
    state: isAbsent ? "NOT_PLACED" : state === "SENT" ? "SENT" : "UNKNOWN",
    planId: claim.plan_id,
    symbol: claim.symbol,
    step: claim.step,
    attempt: claim.attempt,
    entryId: claim.entry_id,
    clientOrderId: claim.client_order_id,
    side: claim.side,
    quantity: claim.quantity,
    claimedAtMs: claim.claimed_at_ms,
    venueMs: claim.venue_ms,
    windowEndMs: claim.window_end_ms,
    positionAmt: claim.position_amt || undefined,
    stated: statementOf(claim),
  };
}

/** The reasons of `ended_absent` in lua/shared/absent.lua. */
const ABSENT: ReadonlySet<string> = new Set<OrderReason>([
  "not_placed_by_evidence",
  "not_placed_by_operator",
]);

function statementOf({
  stated_outcome: outcome,
  stated_qty: quantity = "",
}: Values<typeof orderRecord, never, "stated_outcome" | "stated_qty">) {
  if (outcome === "NOT_PLACED") return { outcome, quantity: "" } as const;
  return outcome === "EXECUTED" && quantity !== "" ? ({ outcome, quantity } as const) : undefined;
}
