/** The ledger's arithmetic, without I/O. Invariant I7: the ledger equals the exchange's fills. */
import type { OrderState, Position, Trade } from "@quantum/exchange";
import { Big } from "big.js";
import { agrees, type Execution, type Ledger, type Pair, type Snapshot } from "./pair.ts";

/** Orders that a ledger names after a reading. Others' orders are among them, and results may wait through an outage. */
export const COUNTED_MAX = 64;

/**
 * Adds trades to the ledger. Trades may come in any order and more than once: one counts if its id is above the last
 * counted one. `trades` must include all trades between that one and the newest.
 */
export function withTrades(ledger: Ledger, trades: readonly Trade[]): Ledger {
  const last = BigInt(ledger.lastTradeId);
  const uncounted = new Map(
    trades.filter((trade) => BigInt(trade.id) > last).map((trade) => [trade.id, trade]),
  );
  if (uncounted.size === 0) return ledger;
  let amount = Big(ledger.amt);
  let newest = last;
  for (const trade of uncounted.values()) {
    amount = trade.side === "BUY" ? amount.plus(trade.qty) : amount.minus(trade.qty);
    if (BigInt(trade.id) > newest) newest = BigInt(trade.id);
  }
  const booked = withOrders(ledger.booked, [...uncounted.values()]);
  return { ...ledger, amt: amount.toFixed(), lastTradeId: newest.toString(), origin: "trades", booked };
}

/**
 * Adds what the trades show of each order. Of an order with trades before these, or that events have told, the larger
 * quantity counts: both are in the ledger, and their sum might count a trade twice.
 */
function withOrders(booked: Ledger["booked"] = [], trades: readonly Trade[]): Ledger["booked"] {
  const orders = new Map(booked.map(({ orderId, qty }) => [orderId, qty]));
  for (const orderId of new Set(trades.map((trade) => trade.orderId))) {
    const qty = filledQty(trades, orderId);
    const known = orders.get(orderId);
    // Its place is that of its last trade.
    orders.delete(orderId);
    orders.set(orderId, known === undefined || qty.gt(known) ? qty.toFixed() : known);
  }
  return [...orders].slice(-COUNTED_MAX).map(([orderId, qty]) => ({ orderId, qty }));
}

/** The ledger as REST last counted it. Fills that were added from events since are counted again. */
export function recounted({ anchor, ...ledger }: Ledger): Ledger {
  return anchor === undefined ? ledger : { ...ledger, amt: anchor.amt, lastTradeId: anchor.tradeId };
}

/** Whether the fills that were added from events are the account's trades. `trades`: all since the anchor. */
export function isMisbooked(ledger: Ledger, trades: readonly Trade[]): boolean {
  if (ledger.anchor === undefined) return false;
  const last = BigInt(ledger.lastTradeId);
  const booked = trades.filter(({ id }) => BigInt(id) <= last);
  return !Big(withTrades(recounted(ledger), booked).amt).eq(ledger.amt);
}

/**
 * Keeps the latest execution, so a result handled late cannot restore an older one. A time in the future counts as now:
 * Redis's clock was ahead, and the cooldown would otherwise last until that time has passed.
 */
export function withExecutions(ledger: Ledger, executions: readonly Execution[], nowMs: number): Ledger {
  const known = ledger.lastExecution === undefined ? [] : [ledger.lastExecution];
  const latest = [...known, ...executions]
    .map((execution) => ({ ...execution, atMs: Math.min(execution.atMs, nowMs) }))
    .reduce<Execution | undefined>(
      (last, execution) => (last === undefined || execution.atMs >= last.atMs ? execution : last),
      undefined,
    );
  return { ...ledger, lastExecution: latest };
}

/** Whether trades must be read: the position moved, events have told some, or the last refresh left a mismatch. */
export function needsTrades(
  { snapshot, ledger }: { [Half in keyof Pair]: Pair[Half] | undefined },
  position: Position,
): boolean {
  if (snapshot === undefined || ledger === undefined || ledger.anchor !== undefined) return true;
  return !unmoved(snapshot, position) || !agrees({ snapshot, ledger });
}

export function unmoved(
  before: Pick<Snapshot, "positionAmt" | "updateTimeMs">,
  position: Pick<Position, "positionAmt" | "updateTimeMs">,
): boolean {
  return Big(before.positionAmt).eq(position.positionAmt) && before.updateTimeMs === position.updateTimeMs;
}

export function hasTrade(trades: readonly Trade[], tradeId: string): boolean {
  return trades.some(({ id }) => id === tradeId);
}

/** The total of one order's trades. */
export function filledQty(trades: readonly Trade[], orderId: string): Big {
  return trades
    .filter((trade) => trade.orderId === orderId)
    .reduce((sum, trade) => sum.plus(trade.qty), Big(0));
}

/** The part of the position that open reduce-only orders may still close. */
export function openReduceQty(position: Position, orders: readonly OrderState[]): string {
  const closingSide = Big(position.positionAmt).gt(0) ? "SELL" : "BUY";
  return orders
    .filter(
      ({ symbol, side, reduceOnly }) => symbol === position.symbol && side === closingSide && reduceOnly,
    )
    .reduce((sum, order) => sum.plus(order.origQty).minus(order.executedQty), Big(0))
    .toFixed();
}

/** The symbols that had a position, or orders that close one, when last seen, or were never seen. */
export function mayHaveOrders(
  pairs: ReadonlyMap<string, { snapshot: Snapshot | undefined }>,
): ReadonlySet<string> {
  const open = [...pairs].filter(
    ([, { snapshot }]) =>
      snapshot === undefined || !Big(snapshot.positionAmt).eq(0) || !Big(snapshot.openReduceQty).eq(0),
  );
  return new Set(open.map(([symbol]) => symbol));
}
