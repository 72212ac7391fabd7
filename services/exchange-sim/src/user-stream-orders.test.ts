/** What the user data stream tells of orders that wait. */
import { createBinanceExchange } from "@quantum/exchange";
import { expect, it } from "vitest";
import { control, kindOf, listen, startVenue, useVenues } from "./user-stream.fixture.ts";

useVenues();

const SYMBOL = "BTCUSDT";

it("tells of orders that wait, of their cancellation, and of what triggers", async () => {
  const sim = await startVenue();
  const exchange = createBinanceExchange({
    baseUrl: sim.url,
    apiKey: "sim-key",
    apiSecret: "sim-secret",
    timeoutMs: 3_000,
    recvWindowMs: 5_000,
  });
  const listener = await listen(sim);
  const rest = (order: object) => control(sim, "/sim/orders", { symbol: SYMBOL, side: "SELL", ...order });

  await rest({ type: "LIMIT", quantity: "0.010", price: "120000", reduceOnly: true });
  const [placed] = await listener.take(1);
  expect(placed?.o).toMatchObject({ x: "NEW", X: "NEW", o: "LIMIT", ot: "LIMIT", p: "120000", R: true });
  await exchange.cancelOrder(SYMBOL, (await exchange.openOrders(SYMBOL)).rows[0]?.orderId ?? "");
  const [cancelled] = await listener.take(1);
  expect(cancelled?.o).toMatchObject({ x: "CANCELED", X: "CANCELED", z: "0", er: "0", c: placed?.o?.["c"] });

  await rest({ type: "STOP_MARKET" });
  await rest({ type: "TAKE_PROFIT_MARKET", quantity: "0.010", reduceOnly: true });
  const algoOrders = await listener.take(2);
  expect(algoOrders.map(({ e, o }) => [e, o?.["o"], o?.["X"], o?.["cp"], o?.["R"]])).toEqual([
    ["ALGO_UPDATE", "STOP_MARKET", "NEW", true, false],
    ["ALGO_UPDATE", "TAKE_PROFIT_MARKET", "NEW", false, true],
  ]);
  const [stop, take] = (await exchange.openAlgoOrders(SYMBOL)).rows;
  await exchange.cancelAlgoOrder(SYMBOL, take?.algoId ?? "");
  expect((await listener.next()).o).toMatchObject({ o: "TAKE_PROFIT_MARKET", X: "CANCELED", ai: "" });
  await control(sim, "/sim/fills", { algoId: stop?.algoId });
  const events = await listener.until(({ e }) => e === "ALGO_UPDATE");
  expect(events.map(kindOf)).toEqual([
    "ORDER_TRADE_UPDATE NEW",
    "ACCOUNT_UPDATE ORDER",
    "ORDER_TRADE_UPDATE TRADE",
    "ALGO_UPDATE",
  ]);
  expect(events.at(-1)?.o).toMatchObject({ X: "FINISHED", ai: expect.stringMatching(/^\d+$/) as string });
});

it("does not tell those who did not ask of algo orders", async () => {
  const sim = await startVenue();
  const listener = await listen(sim, { events: "ORDER_TRADE_UPDATE" });
  await control(sim, "/sim/orders", { symbol: SYMBOL, side: "SELL", type: "STOP_MARKET" });
  await control(sim, "/sim/orders", { symbol: SYMBOL, side: "SELL", type: "LIMIT", quantity: "0.010" });
  expect(kindOf(await listener.next())).toBe("ORDER_TRADE_UPDATE NEW");
});
