/** Traces of an order in the account, whatever a query for it returns. Pure. */
import type { ListedOrder, Trade } from "@quantum/exchange";
import { Big } from "big.js";
import type { KnownOrder } from "./order.ts";

/** The account since the permits were given, with what an order would leave behind, whatever a query returns. */
export interface Account {
  positionAmt: string;
  /** Ascending by id. A trade's order is in `orders`, or its origin is unknown. */
  trades: readonly Trade[];
  orders: readonly ListedOrder[];
}

export type AccountFinding =
  | { kind: "found"; orderId: string }
  /** No trace of the order. */
  | { kind: "silent" }
  /** A change that the order could explain and nothing else does. */
  | { kind: "moved"; why: string };

type Doubted = Pick<KnownOrder, "clientOrderId" | "side" | "quantity" | "positionAmt">;

/** The exchange's data lags independently in each part, so each part is checked. */
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
 * Whether the position changed in a way that the order explains and the trades alone do not. The permits' position is
 * some seconds older than the permits, and the trades are read after the position. So any consecutive trades may lie
 * between the two.
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

/** Integers, because every run of trades is summed. No venue uses smaller units. */
const UNITS = 10 ** 8;

function units(quantity: string): bigint {
  return BigInt(Big(quantity).times(UNITS).toFixed(0));
}
