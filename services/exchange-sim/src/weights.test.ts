/** The client counts a request before it is sent, the venue when it arrives: two tables that must agree. */
import { Budget, createBinanceExchange } from "@quantum/exchange";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createExchangeSim, type ExchangeSim } from "./server.ts";

const SYMBOL = "BTCUSDT";

let sim: ExchangeSim;
beforeEach(async () => {
  // The clock stands still, so that no minute ends between two requests.
  const nowMs = Date.now();
  sim = createExchangeSim({ now: () => nowMs });
  await sim.listen();
});
afterEach(() => sim.close());

it("the client spends what the venue counts, request by request", async () => {
  const budget = new Budget();
  const spend = vi.spyOn(budget, "spend");
  const reported = vi.spyOn(budget, "reported");
  const exchange = createBinanceExchange({
    baseUrl: sim.url,
    apiKey: "sim-key",
    apiSecret: "sim-secret",
    timeoutMs: 3_000,
    recvWindowMs: 5_000,
    budget,
  });
  const asked: Record<string, () => Promise<unknown>> = {
    serverTime: () => exchange.serverTime(),
    rules: () => exchange.rules(),
    hedgeMode: () => exchange.hedgeMode(),
    positions: () => exchange.positions(),
    positionsOfOne: () => exchange.positions(SYMBOL),
    openOrders: () => exchange.openOrders(),
    openOrdersOfOne: () => exchange.openOrders(SYMBOL),
    openAlgoOrders: () => exchange.openAlgoOrders(),
    openAlgoOrdersOfOne: () => exchange.openAlgoOrders(SYMBOL),
    cancelOrder: () => exchange.cancelOrder(SYMBOL, "1"),
    cancelAlgoOrder: () => exchange.cancelAlgoOrder(SYMBOL, "1"),
    trades: () => exchange.trades(SYMBOL),
    order: () => exchange.order(SYMBOL, "none"),
    ordersSince: () => exchange.ordersSince(SYMBOL, exchange.now() - 60_000),
    tradesSince: () => exchange.tradesSince(SYMBOL, exchange.now() - 60_000),
    place: () =>
      exchange.placeReduceOnlyMarket({
        symbol: SYMBOL,
        side: "SELL",
        quantity: "0.001",
        clientOrderId: "mine",
        timestampMs: exchange.now(),
        recvWindowMs: 5_000,
      }),
  };
  for (const [name, ask] of Object.entries(asked)) {
    await ask();
    const spent = spend.mock.calls.reduce((sum, [{ weight_1m = 0 }]) => sum + weight_1m, 0);
    expect([name, reported.mock.lastCall?.[1].weight_1m]).toEqual([name, spent]);
  }
  expect(reported.mock.lastCall?.[1]).toMatchObject({ orders_1m: 1, orders_10s: 1 });
});
