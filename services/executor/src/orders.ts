/** What a claim, a doubt and a settlement write: `lua/orders/*`, typed. */
import { type ExecuteEntry, type ExitClass, type Keys, type OrderReason, TTL_SEC } from "@quantum/contract";
import { haltKeys } from "@quantum/permits";
import { bindScript, type RedisClient } from "@quantum/redis";
import { type Doubt, type OrderIntent, type SettledBy, type Settlement, stepsResults } from "./decide.ts";
import type { ExecutorEvents } from "./events.ts";
import type { ClaimedOrder } from "./order.ts";
import type { Signatures } from "./verify.ts";

const claimScript = bindScript("orders/claim");
const holdScript = bindScript("orders/hold");
const doubtScript = bindScript("orders/doubt");
const settleScript = bindScript("orders/settle");

/** An order, as a claim needs to know it. */
export interface HoldRequest {
  entryId: string;
  entry: Pick<ExecuteEntry, "plan_id" | "symbol" | "step" | "attempt" | "attempt_no" | "valid_until_ms"> &
    // Absent where only the record has the order.
    Partial<Pick<ExecuteEntry, "position_amt">>;
  intent: Pick<OrderIntent, "side" | "quantity" | "cappedByVenue">;
  clientOrderId: string;
  /** In venue time, read before this call: when the send window opens. */
  venueMs: number;
  /** Its permits are what the issuers signed, or it is read from the handover. */
  isVerified: boolean;
  /** Of an operator's plan. */
  class?: ExitClass | undefined;
}

export interface ClaimRequest extends HoldRequest {
  /** The longest send window. */
  windowMs: number;
  /** Why it is not placed at all, or empty. */
  refusal: OrderReason | "";
  /** Of the refusal, or empty. */
  detail: string;
  signatures: Signatures;
  /** No halt is asked: the caller has verified that an operator signed it, or refuses it. */
  passesHalts?: boolean;
}

export type Claimed =
  | { kind: "claimed"; windowMs: number }
  /** Ask the exchange, send nothing. */
  | { kind: "held" }
  /** The attempt has its result. */
  | { kind: "ended" }
  | { kind: "unspent" }
  /** Another executor owns the orders; nothing was changed. */
  | { kind: "not_owner" };

export type Orders = ReturnType<typeof createOrders>;

export function createOrders(options: {
  redis: RedisClient;
  keys: Keys;
  group: string;
  /** This executor's name, as the owner's key has it. */
  instance: string;
  events: ExecutorEvents;
}) {
  const { redis, keys, group, instance, events } = options;

  /** Claims the plan's order for this caller to send, once. */
  async function claim(request: ClaimRequest): Promise<Claimed> {
    const { entry, refusal, detail, isVerified, signatures } = request;
    const reply = await claimScript(redis, {
      keys: { ...keysOf(entry), ...haltKeys(redis, keys), owner: keys.orderOwner },
      args: {
        ...argsOf(request),
        window_ms: String(request.windowMs),
        refusal,
        detail,
        is_verified: isVerified ? "1" : "0",
        instance,
        passes_halts: request.passesHalts === true ? "1" : "0",
      },
      restArgs: Object.entries(signatures).flat(),
    });
    return claimedOf(entry, reply);
  }

  /** Claims an order that may have been sent, to query it: nothing is sent by it. */
  async function hold(request: HoldRequest): Promise<Exclude<Claimed, { kind: "claimed" | "not_owner" }>> {
    const { entry, isVerified } = request;
    const reply = await holdScript(redis, {
      keys: keysOf(entry),
      args: { ...argsOf(request), is_verified: isVerified ? "1" : "0" },
    });
    const held = claimedOf(entry, reply);
    if (held.kind === "claimed" || held.kind === "not_owner")
      throw new Error(`orders/hold answered ${held.kind}`);
    return held;
  }

  function keysOf({ plan_id: planId, symbol }: HoldRequest["entry"]) {
    return {
      order: keys.order(planId),
      unsettled: keys.unsettled(symbol),
      plan: keys.plan(planId),
      spent: keys.spent(planId),
      executes: keys.streams.execute,
      results: keys.streams.result,
      handed_over: keys.handedOver,
    };
  }

  function argsOf({ entryId, entry, intent, clientOrderId, venueMs, class: exitClass }: HoldRequest) {
    return {
      plan_id: entry.plan_id,
      symbol: entry.symbol,
      attempt: entry.attempt,
      attempt_no: String(entry.attempt_no),
      group,
      entry_id: entryId,
      client_order_id: clientOrderId,
      side: intent.side,
      quantity: intent.quantity,
      step: entry.step,
      valid_until_ms: String(entry.valid_until_ms),
      venue_ms: String(venueMs),
      position_amt: entry.position_amt ?? "",
      capped_by_venue: intent.cappedByVenue === true ? "1" : "0",
      settled_sec: String(TTL_SEC.order),
      class: exitClass ?? "",
    };
  }

  function claimedOf(entry: HoldRequest["entry"], [status, detail = "", windowMs = ""]: string[]): Claimed {
    const { plan_id: planId, symbol, step } = entry;
    switch (status) {
      case "CLAIMED":
        return { kind: "claimed", windowMs: Number(windowMs) };
      case "HELD":
        return { kind: "held" };
      case "SETTLED":
        return { kind: "ended" };
      case "UNSPENT":
        return { kind: "unspent" };
      case "NOT_OWNER":
        return { kind: "not_owner" };
      case "REFUSED":
        events.emit("refused", { planId, symbol, step, reason: detail });
        return { kind: "ended" };
      default:
        throw new Error(`a claim was answered ${String(status)}`);
    }
  }

  /** @returns false if it is settled already: there is nothing left to resolve. */
  async function doubt(order: ClaimedOrder, why: Doubt, detail = ""): Promise<boolean> {
    const { planId, symbol, step } = order;
    const [status] = await doubtScript(redis, {
      keys: {
        order: keys.order(planId),
        unknown: keys.unknown(symbol),
        plan: keys.plan(planId),
        executes: keys.streams.execute,
      },
      args: { plan_id: planId, attempt: order.attempt, why, group, entry_id: order.entryId },
    });
    if (status === "UNKNOWN") events.emit("doubted", { planId, symbol, step, doubt: why, detail });
    return status === "UNKNOWN";
  }

  /** The first settlement counts; a later one changes nothing. */
  async function settle(order: ClaimedOrder, settlement: Settlement, by: SettledBy): Promise<void> {
    const { planId, symbol, step } = order;
    const [status] = await settleScript(redis, {
      keys: {
        order: keys.order(planId),
        unsettled: keys.unsettled(symbol),
        unknown: keys.unknown(symbol),
        plan: keys.plan(planId),
        executes: keys.streams.execute,
        results: keys.streams.result,
        handed_over: keys.handedOver,
        absent: keys.absent(symbol),
        absent_claims: keys.absentClaims,
      },
      args: {
        plan_id: planId,
        attempt: order.attempt,
        outcome: settlement.outcome,
        reason: settlement.reason,
        detail: settlement.detail,
        order_id: settlement.orderId,
        executed_qty: settlement.executedQty,
        avg_price: settlement.avgPrice,
        steps_results: stepsResults(order, settlement),
        group,
        settled_sec: String(TTL_SEC.order),
      },
    });
    if (status === "SETTLED") events.emit("settled", { planId, symbol, step, by, ...settlement });
    else if (status === "NOT_CLAIMED")
      throw new Error(`orders/settle: ${planId} has no claim of ${order.attempt}`);
  }

  return { claim, hold, doubt, settle };
}
