/**
 * What an account shows of its past, through the adapter: orders and trades since a time, lag, and an unreachable
 * venue.
 */
import { createBinanceExchange } from "@quantum/exchange";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createExchangeSim, type ExchangeSim } from "./server.ts";

const SYMBOL = "BTCUSDT";
const PAGE_ROWS = 1000;

let sim: ExchangeSim;
beforeEach(async () => {
  sim = createExchangeSim({ strategy: false });
  await sim.listen();
});
afterEach(() => sim.close());

const exchange = (baseUrl = sim.url) =>
  createBinanceExchange({
    baseUrl,
    apiKey: "sim-key",
    apiSecret: "sim-secret",
    timeoutMs: 2_000,
    recvWindowMs: 5_000,
  });
const control = (path: string, body: object) =>
  fetch(`${sim.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
const place = (clientOrderId: string, venue = exchange()) =>
  venue.placeReduceOnlyMarket({
    symbol: SYMBOL,
    side: "SELL",
    quantity: "0.001",
    clientOrderId,
    timestampMs: venue.now(),
    recvWindowMs: 5_000,
  });

describe("orders and trades since a time", () => {
  it("are those of everybody, and no older ones", async () => {
    const sinceMs = Date.now() - 60_000;
    await place("qp-1");
    await control("/sim/positions", { symbol: SYMBOL, positionAmt: "0.05", traded: true });
    const orders = await exchange().ordersSince(SYMBOL, sinceMs);
    expect(orders.map(({ clientOrderId }) => clientOrderId)).toEqual([
      expect.stringMatching(/^strategy-/),
      "qp-1",
      expect.stringMatching(/^other-/),
    ]);
    const trades = await exchange().tradesSince(SYMBOL, sinceMs);
    expect(new Set(trades.map(({ orderId }) => orderId))).toEqual(
      new Set(orders.map(({ orderId }) => orderId)),
    );
    const laterMs = Date.now() + 1;
    // The venue refuses a span that has not begun.
    await vi.waitUntil(() => Date.now() > laterMs, { interval: 1 });
    expect(await exchange().ordersSince(SYMBOL, laterMs)).toEqual([]);
    const [first] = orders;
    expect(await exchange().clientOrderIdOf(SYMBOL, first?.orderId ?? "")).toBe(first?.clientOrderId);
    expect(await exchange().orderById(SYMBOL, "1")).toBeUndefined();
  });

  it("are all there, however many answers they fill", async () => {
    for (let i = 0; i < PAGE_ROWS + 50; i += 1) {
      const positionAmt = i % 2 === 0 ? "0.05" : "0.06";
      await control("/sim/positions", { symbol: SYMBOL, positionAmt, traded: true });
    }
    const sinceMs = Date.now() - 120_000;
    expect(await exchange().ordersSince(SYMBOL, sinceMs)).toHaveLength(PAGE_ROWS + 51);
    expect(await exchange().tradesSince(SYMBOL, sinceMs)).toHaveLength(PAGE_ROWS + 51);
  });
});

describe("a venue that lags", () => {
  it("denies an order that it has filled, in lists for half as long, and shows its trades", async () => {
    await control("/sim/faults", { kind: "lag", ms: 3_000 });
    expect(await place("qp-1")).toMatchObject({ outcome: "ambiguous" });
    const venue = exchange();
    expect(await venue.order(SYMBOL, "qp-1")).toBeUndefined();
    const listed = async () =>
      (await venue.ordersSince(SYMBOL, Date.now() - 60_000)).some((order) => order.clientOrderId === "qp-1");
    expect(await listed()).toBe(false);
    expect((await venue.tradesSince(SYMBOL, Date.now() - 60_000)).length).toBeGreaterThan(1);
    await expect.poll(listed).toBe(true);
    await expect.poll(() => venue.order(SYMBOL, "qp-1")).toMatchObject({ status: "FILLED" });
  });
});

describe("a venue that is away", () => {
  it("was not sent an order: nobody listens there", async () => {
    const { url } = sim;
    await sim.close();
    expect(await place("qp-1", exchange(url))).toMatchObject({
      outcome: "unavailable",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });
});
