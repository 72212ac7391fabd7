/** What the exchange's answers may not show yet: trades and positions lag behind its engine. */
import type { Exchange, Trade } from "@quantum/exchange";
import { agrees, type Execution, type Ledger, type Pair } from "./pair.ts";
import type { PairStore, StoredPair } from "./pair-store.ts";
import { filledQty, hasTrade } from "./reconcile.ts";
import { hasCounted } from "./trades.ts";

/** A newer fill may not be visible yet in the exchange's trades or position. An older one will never appear. */
const FILL_LATE_MS = 30_000;

export class Lag {
  readonly #exchange: Exchange;
  readonly #pairs: PairStore;

  constructor(exchange: Exchange, pairs: PairStore) {
    this.#exchange = exchange;
    this.#pairs = pairs;
  }

  isRecent(symbol: string, { atMs }: Execution): boolean {
    return atMs > this.#pairs.now(symbol) - FILL_LATE_MS;
  }

  /** Position and trades may both lag behind an order and then match without it. */
  async hasFills(
    symbol: string,
    executions: readonly Execution[],
    uncounted: readonly Trade[],
    ledger: Ledger,
  ): Promise<boolean> {
    const missing = executions.filter(
      (execution) =>
        execution.orderId !== "" &&
        this.isRecent(symbol, execution) &&
        filledQty(uncounted, execution.orderId).lt(execution.qty),
    );
    return hasCounted(this.#exchange, symbol, ledger, missing);
  }

  /** Whether what was read is older than what events have told just now. `trades`: all since the ledger's anchor. */
  isBehindEvents({ ledger, snapshot }: StoredPair, read: Pair, trades: readonly Trade[]): boolean {
    if (ledger?.anchor === undefined || snapshot === undefined) return false;
    if (snapshot.updateTimeMs <= this.#exchange.now() - FILL_LATE_MS) return false;
    return !agrees(read) || !hasTrade(trades, ledger.lastTradeId);
  }
}
