/** What the exchange says about an order: by its client order id, and by what an order leaves behind in the account. */
import { type Exchange, ExchangeError, type ListedOrder } from "@quantum/exchange";
import { addedAtMs } from "@quantum/streams";
import { type AccountFinding, type QueryAnswer, judgeAccount } from "./decide.ts";
import type { KnownOrder } from "./order.ts";

const NO_SUCH_SYMBOL = -1121;
/** The permits' position is no older than this, and the clocks of Redis and venue are no further apart. */
const BEFORE_MS = 60_000;
/** The venue looks back for 7 days; less what the question takes. */
const LOOK_BACK_MS = 7 * 24 * 3_600_000 - BEFORE_MS;

/** Time first: then what is not there afterwards was not there when the window had passed. */
export async function askFor(
  exchange: Exchange,
  { symbol, clientOrderId }: Pick<KnownOrder, "symbol" | "clientOrderId">,
): Promise<QueryAnswer> {
  const venueMs = await exchange.serverTime();
  return { venueMs, order: await exchange.order(symbol, clientOrderId) };
}

/**
 * Reads position, trades and orders in this order, so that every trade's order is among the orders. An order that is older
 * than the look-back may still trade: it is asked for by its id.
 *
 * @throws ExchangeError if any of it cannot be read: unreadable is not empty
 */
export async function askAccount(
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
    const position = (await exchange.positions(symbol)).rows.find((row) => row.symbol === symbol);
    if (position === undefined) throw new ExchangeError(`the exchange reports no position of ${symbol}`);
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
    // No order can be there, where the venue does not list the symbol.
    if (error instanceof ExchangeError && error.code === NO_SUCH_SYMBOL) return { kind: "silent" };
    throw error;
  }
}
