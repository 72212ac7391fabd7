/** What a claim, a doubt and a settlement write: `lua/orders/*`, typed. */
import { type ExecuteEntry, type Keys, TTL_SEC } from "@quantum/contract";
import { haltKeys } from "@quantum/permits";
import { bindScript, type RedisClient } from "@quantum/redis";
import { type Doubt, type OrderIntent, type Settlement, stepsResults } from "./decide.ts";
import type { ExecutorEvents } from "./events.ts";
import type { ClaimedOrder } from "./order.ts";

const claimScript = bindScript("orders/claim");
const doubtScript = bindScript("orders/doubt");
const settleScript = bindScript("orders/settle");

export interface ClaimRequest {
  entryId: string;
  entry: Pick<ExecuteEntry, "plan_id" | "symbol" | "step" | "attempt" | "attempt_no" | "valid_until_ms"> &
    // Absent where only the record has the order.
    Partial<Pick<ExecuteEntry, "position_amt">>;
  intent: OrderIntent;
  clientOrderId: string;
  /** When the send window opens, in venue time, read before this call. */
  venueMs: number;
  /** The longest send window. */
  windowMs: number;
  /** Why it is not placed at all, or empty. */
  refusal: string;
  /** An earlier claim may have been forgotten. */
  mayBeSent: boolean;
}

export type Claimed =
  | { kind: "claimed"; windowMs: number }
  /** Ask the exchange, send nothing. */
  | { kind: "held" }
  /** The attempt has its result. */
  | { kind: "ended" }
  | { kind: "unspent" };

export type Orders = ReturnType<typeof createOrders>;

export function createOrders(options: {
  redis: RedisClient;
  keys: Keys;
  group: string;
  events: ExecutorEvents;
}) {
  const { redis, keys, group, events } = options;

  async function claim(request: ClaimRequest): Promise<Claimed> {
    const { entryId, entry, intent, clientOrderId, refusal } = request;
    const { plan_id: planId, symbol, step } = entry;
    const [status, detail = "", windowMs = ""] = await claimScript(redis, {
      keys: {
        order: keys.order(planId),
        unsettled: keys.unsettled(symbol),
        plan: keys.plan(planId),
        spent: keys.spent(planId),
        ...haltKeys(redis, keys),
        executes: keys.streams.execute,
        results: keys.streams.result,
        handed_over: keys.handedOver,
      },
      args: {
        plan_id: planId,
        symbol,
        attempt: entry.attempt,
        attempt_no: String(entry.attempt_no),
        group,
        entry_id: entryId,
        client_order_id: clientOrderId,
        side: intent.side,
        quantity: intent.quantity,
        step,
        valid_until_ms: String(entry.valid_until_ms),
        venue_ms: String(request.venueMs),
        window_ms: String(request.windowMs),
        position_amt: entry.position_amt ?? "",
        refusal,
        may_be_sent: request.mayBeSent ? "1" : "0",
        settled_sec: String(TTL_SEC.order),
      },
    });
    switch (status) {
      case "CLAIMED":
        return { kind: "claimed", windowMs: Number(windowMs) };
      case "HELD":
        return { kind: "held" };
      case "SETTLED":
        return { kind: "ended" };
      case "UNSPENT":
        return { kind: "unspent" };
      case "REFUSED":
        events.emit("refused", { planId, symbol, step, reason: detail });
        return { kind: "ended" };
      default:
        throw new Error(`orders/claim answered ${String(status)}`);
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
  async function settle(order: ClaimedOrder, settlement: Settlement): Promise<void> {
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
    if (status === "SETTLED") events.emit("settled", { planId, symbol, step, ...settlement });
    else if (status === "NOT_CLAIMED")
      throw new Error(`orders/settle: ${planId} has no claim of ${order.attempt}`);
  }

  return { claim, doubt, settle };
}
