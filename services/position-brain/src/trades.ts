/** The account's trades, page by page. */
import { type Exchange, type Trade, TRADES_LOOK_BACK_MS, TRADES_PAGE } from "@quantum/exchange";
import { type Execution, type Ledger, NO_TRADE } from "./pair.ts";
import { filledQty } from "./reconcile.ts";

/**
 * All trades that a ledger has not counted yet, however many pages they are. Before the first one there is no id to begin
 * at: a ledger with {@link NO_TRADE} began when there was none to look back on, so it is the most recent ones; and if they
 * fill a page, all from the first id on, but none from before that look-back.
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

/** Whether an earlier refresh has counted the fills of these executions into the ledger. */
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

/** Until a page is short of new trades. */
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
