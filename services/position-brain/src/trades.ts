/** The account's trades, page by page. */
import { type Exchange, type Trade, TRADES_LOOK_BACK_MS, TRADES_PAGE } from "@quantum/exchange";
import { type Execution, type Ledger, NO_TRADE } from "./pair.ts";
import { filledQty } from "./reconcile.ts";

/**
 * All trades that a ledger has not counted yet, over any number of pages. A ledger with {@link NO_TRADE} has no id to
 * start from: no trade existed within the look-back when it began. Then the most recent trades are used. If they fill a
 * page, all trades are read from the first id, except those older than the look-back.
 */
export async function tradesAfter(
  exchange: Exchange,
  symbol: string,
  lastTradeId: string,
  pageSize = TRADES_PAGE,
): Promise<Trade[]> {
  if (lastTradeId !== NO_TRADE) return pagesFrom(exchange, symbol, lastTradeId, pageSize);
  const recent = await exchange.trades(symbol, { limit: pageSize });
  if (recent.length < pageSize) return recent;
  const sinceMs = exchange.now() - TRADES_LOOK_BACK_MS;
  const all = await pagesFrom(exchange, symbol, NO_TRADE, pageSize);
  return all.filter((trade) => trade.timeMs > sinceMs);
}

/** {@link NO_TRADE} if the account made none within the look-back. */
export async function newestTradeId(exchange: Exchange, symbol: string): Promise<string> {
  return (await exchange.trades(symbol, { limit: 1 })).at(-1)?.id ?? NO_TRADE;
}

/** All trades of one order. */
export async function tradesOf(
  exchange: Exchange,
  symbol: string,
  orderId: string,
  pageSize = TRADES_PAGE,
): Promise<Trade[]> {
  const recent = await exchange.trades(symbol, { limit: pageSize });
  const all =
    recent.length < pageSize ? recent : await pagesFrom(exchange, symbol, NO_TRADE, pageSize, { orderId });
  return all.filter((trade) => trade.orderId === orderId);
}

/** Whether the ledger already includes the fills of these executions. */
export async function hasCounted(
  exchange: Exchange,
  symbol: string,
  ledger: Ledger,
  executions: readonly Execution[],
): Promise<boolean> {
  for (const { orderId, qty } of executions) {
    const trades = await tradesOf(exchange, symbol, orderId);
    const counted = trades.filter((trade) => BigInt(trade.id) <= BigInt(ledger.lastTradeId));
    if (filledQty(counted, orderId).lt(qty)) return false;
  }
  return true;
}

/** Reads until a page is not full of new trades. */
async function pagesFrom(
  exchange: Exchange,
  symbol: string,
  lastTradeId: string,
  pageSize: number,
  query: { orderId?: string } = {},
): Promise<Trade[]> {
  const trades: Trade[] = [];
  let last = BigInt(lastTradeId);
  for (;;) {
    const page = await exchange.trades(symbol, { ...query, fromId: String(last + 1n), limit: pageSize });
    const fresh = page.filter(({ id }) => BigInt(id) > last);
    trades.push(...fresh);
    for (const { id } of fresh) if (BigInt(id) > last) last = BigInt(id);
    if (fresh.length < pageSize) return trades;
  }
}
