import type { Cancellation, Exchange, OrderRequest, TradeQuery } from "@quantum/exchange";
import type { Events, ExecutorEvents } from "./events.ts";

/** Wraps an exchange so that each of the executor's requests is reported when it ends. */
export function reportCalls(exchange: Exchange, events: ExecutorEvents): Exchange {
  type Outcome = Events["called"][0]["outcome"];
  const reported =
    <Args extends unknown[], Result>(
      endpoint: string,
      call: (...args: Args) => Promise<Result>,
      outcomeOf: (result: Result) => Outcome = () => "ok",
    ) =>
    async (...args: Args): Promise<Result> => {
      const startedAt = performance.now();
      let outcome: Outcome = "error";
      try {
        const result = await call(...args);
        outcome = outcomeOf(result);
        return result;
      } finally {
        events.emit("called", { endpoint, outcome, tookMs: performance.now() - startedAt });
      }
    };
  return {
    ...exchange,
    as: (requestClass) => reportCalls(exchange.as(requestClass), events),
    serverTime: reported("time", () => exchange.serverTime()),
    rules: reported("exchangeInfo", () => exchange.rules()),
    hedgeMode: reported("positionSide", () => exchange.hedgeMode()),
    positions: reported("positionRisk", (symbol?: string) => exchange.positions(symbol)),
    openOrders: reported("openOrders", (symbol?: string) => exchange.openOrders(symbol)),
    openAlgoOrders: reported("openAlgoOrders", (symbol?: string) => exchange.openAlgoOrders(symbol)),
    accountConfig: reported("accountConfig", () => exchange.accountConfig()),
    cancelOrder: reported("cancel", (symbol: string, id: string) => exchange.cancelOrder(symbol, id), failed),
    cancelAlgoOrder: reported(
      "cancel",
      (symbol: string, id: string) => exchange.cancelAlgoOrder(symbol, id),
      failed,
    ),
    order: reported("order_query", (symbol: string, id: string) => exchange.order(symbol, id)),
    orderById: reported("order_query", (symbol: string, id: string) => exchange.orderById(symbol, id)),
    clientOrderIdOf: reported("order_query", (symbol: string, id: string) =>
      exchange.clientOrderIdOf(symbol, id),
    ),
    trades: reported("userTrades", (symbol: string, query?: TradeQuery) => exchange.trades(symbol, query)),
    ordersSince: reported("allOrders", (symbol: string, ms: number) => exchange.ordersSince(symbol, ms)),
    tradesSince: reported("userTrades", (symbol: string, ms: number) => exchange.tradesSince(symbol, ms)),
    placeReduceOnlyMarket: reported(
      "order",
      (request: OrderRequest) => exchange.placeReduceOnlyMarket(request),
      (placement) => placement.outcome,
    ),
  };
}

function failed({ outcome }: Cancellation): "ok" | "error" {
  return outcome === "failed" ? "error" : "ok";
}
