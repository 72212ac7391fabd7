/** What the exchange knows about an order: by its client order id, and by its traces in the account. */
import {
  type Exchange,
  ExchangeError,
  type ListedOrder,
  type OrderState,
  positionOf,
} from "@quantum/exchange";
import { addedAtMs } from "@quantum/streams";
import { type AccountFinding, judgeAccount } from "./account.ts";
import { averagePrice, type QueryAnswer, type Settlement } from "./decide.ts";
import type { KnownOrder } from "./order.ts";

/** The venue does not list the symbol. */
export const NO_SUCH_SYMBOL = -1121;
/** The permits' position is at most this old, and the clocks of Redis and the venue differ by less. */
const BEFORE_MS = 60_000;
/** The venue looks back 7 days; minus the time that the query needs. */
const LOOK_BACK_MS = 7 * 24 * 3_600_000 - BEFORE_MS;

/** Reads the time first, so that an order that is not found did not exist when the window had passed. */
export async function queryOrder(
  exchange: Exchange,
  { symbol, clientOrderId }: Pick<KnownOrder, "symbol" | "clientOrderId">,
): Promise<QueryAnswer> {
  const venueMs = await exchange.serverTime();
  return { venueMs, order: await exchange.order(symbol, clientOrderId) };
}

/** Undefined if the exchange does not find it, or gives no usable answer: neither says anything about the order. */
export function queryById(
  exchange: Exchange,
  symbol: string,
  orderId: string,
): Promise<OrderState | undefined> {
  return orNothing(exchange.orderById(symbol, orderId));
}

/**
 * The settlement with the price at which the order was executed, if the venue left it out: from the order, or else from
 * its trades. Without a price it is the same settlement, since the executed quantity is known.
 */
export async function priced(
  exchange: Exchange,
  symbol: string,
  settlement: Settlement,
): Promise<Settlement> {
  const { orderId, executedQty, avgPrice } = settlement;
  if (orderId === "" || executedQty === "" || avgPrice !== "") return settlement;
  const told = (await queryById(exchange, symbol, orderId))?.avgPrice ?? "";
  if (told !== "") return { ...settlement, avgPrice: told };
  const trades = await orNothing(exchange.trades(symbol, { orderId }));
  return { ...settlement, avgPrice: averagePrice(trades ?? [], settlement) };
}

async function orNothing<T>(query: Promise<T>): Promise<T | undefined> {
  try {
    return await query;
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error;
    return undefined;
  }
}

/**
 * Reads position, trades and orders in this order, so that every trade's order is among the orders. An order older than
 * the look-back may still trade, so it is queried by its id.
 *
 * @throws ExchangeError if anything cannot be read: unreadable does not mean empty
 */
export async function queryAccount(
  exchange: Exchange,
  order: KnownOrder,
  venueMs: number,
): Promise<AccountFinding> {
  const { symbol } = order;
  const sinceMs = Math.max(
    Math.min(order.venueMs, addedAtMs(order.attempt)) - BEFORE_MS,
    venueMs - LOOK_BACK_MS,
  );
  try {
    const position = positionOf(await exchange.positions(symbol), symbol);
    if (position === undefined) throw new ExchangeError(`the position of ${symbol} cannot be read`);
    const trades = await exchange.tradesSince(symbol, sinceMs);
    const orders = await exchange.ordersSince(symbol, sinceMs);
    const known = new Set(orders.map(({ orderId }) => orderId));
    const older: ListedOrder[] = [];
    for (const orderId of new Set(trades.map((trade) => trade.orderId)).difference(known)) {
      const owner = await exchange.clientOrderIdOf(symbol, orderId);
      if (owner !== undefined) older.push({ orderId, clientOrderId: owner });
    }
    const { positionAmt } = position;
    return judgeAccount({ positionAmt, trades, orders: [...orders, ...older] }, order);
  } catch (error) {
    // If the venue does not list the symbol, it cannot have the order.
    if (error instanceof ExchangeError && error.code === NO_SUCH_SYMBOL) return { kind: "silent" };
    throw error;
  }
}
