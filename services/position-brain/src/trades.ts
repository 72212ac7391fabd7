/** The account's trades that a ledger has not counted yet. */
import type { Exchange, Trade } from "@quantum/exchange";
import { NO_TRADE } from "./pair.ts";

/** The most that the exchange gives at once. */
export const TRADES_PAGE = 1000;

/**
 * All trades after `lastTradeId`, however many pages they are. Before the first trade there is no id to begin at, and
 * the most recent ones are all there are: a ledger with {@link NO_TRADE} began when there was none to look back on.
 */
export async function tradesAfter(
  exchange: Exchange,
  symbol: string,
  lastTradeId: string,
  pageSize = TRADES_PAGE,
): Promise<Trade[]> {
  if (lastTradeId === NO_TRADE) return exchange.trades(symbol, { limit: pageSize });
  const trades: Trade[] = [];
  let last = lastTradeId;
  for (;;) {
    const page = await exchange.trades(symbol, { fromId: next(last), limit: pageSize });
    trades.push(...page);
    last = page.at(-1)?.id ?? last;
    if (page.length < pageSize) return trades;
  }
}

function next(id: string): string {
  return (BigInt(id) + 1n).toString();
}
