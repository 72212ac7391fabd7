import { afterEach, describe, expect, it } from "vitest";
import { DEFAULT_MARKET } from "./market.ts";
import { TestVenue } from "./requests.fixture.ts";
import type { ExchangeSimOptions } from "./server.ts";
import { SimVenue } from "./venue.ts";

let venue: TestVenue | undefined;
afterEach(async () => {
  await venue?.close();
  venue = undefined;
});

async function start(options: ExchangeSimOptions = {}): Promise<TestVenue> {
  venue = await TestVenue.start(options);
  return venue;
}

describe("positionRisk", () => {
  it("lists every symbol in version 2, in version 3 only those with a position or an open order", async () => {
    const venue = await start();
    await venue.control("/sim/positions", { symbol: "BTCUSDT", positionAmt: "0", traded: true });
    const symbols = async (version: number, query = {}) =>
      ((await venue.signed(`GET /fapi/v${version}/positionRisk`, query)).body as { symbol: string }[]).map(
        ({ symbol }) => symbol,
      );
    expect(await symbols(2)).toHaveLength(DEFAULT_MARKET.length);
    expect(await symbols(2, { symbol: "BTCUSDT" })).toEqual(["BTCUSDT"]);
    expect(await symbols(3)).toEqual(
      DEFAULT_MARKET.map(({ symbol }) => symbol).filter((symbol) => symbol !== "BTCUSDT"),
    );
    expect(await symbols(3, { symbol: "BTCUSDT" })).toEqual([]);
    await venue.control("/sim/faults", { kind: "late_ack", ms: 60_000 });
    await venue.order("BTCUSDT", { reduceOnly: "false" });
    expect(await symbols(3, { symbol: "BTCUSDT" })).toEqual(["BTCUSDT"]);
    expect((await venue.signed("GET /fapi/v3/positionRisk", { symbol: "NOSUCH" })).body).toMatchObject({
      code: -1121,
    });
  });
});

describe("an order's answer", () => {
  it("can be a bare acknowledgement, while the order is executed", async () => {
    const venue = await start({ orderAnswer: "ack" });
    const { body } = await venue.order("BTCUSDT", { newClientOrderId: "mine" });
    expect(body).toMatchObject({ status: "NEW", executedQty: "0.000", cumQty: "0.000", origQty: "0.001" });
    for (const field of ["avgPrice", "cumQuote", "time"]) expect(body).not.toHaveProperty(field);
    const found = await venue.signed("GET /fapi/v1/order", { symbol: "BTCUSDT", origClientOrderId: "mine" });
    expect(found.body).toMatchObject({ status: "FILLED", executedQty: "0.001" });
  });
});

describe("an order that the symbol's rules forbid", () => {
  it.each([
    ["PENDING_TRADING", -4108, -4108],
    ["SETTLING", -4108, -4108],
    ["DELIVERING", -4108, -4108],
    ["CLOSE", -4141, -4141],
    ["PRE_SETTLE", -4140, undefined],
    ["PRE_DELIVERING", -4140, undefined],
  ])("in %s is refused with %i, one that reduces with %s", async (status, opening, reducing) => {
    const venue = await start();
    await venue.control("/sim/symbols", { symbol: "BTCUSDT", status });
    expect((await venue.order("BTCUSDT", { reduceOnly: "false" })).body).toMatchObject({ code: opening });
    const { body } = await venue.order("BTCUSDT");
    expect((body as { code?: number }).code).toBe(reducing);
  });

  it("may be smaller than the position: MARKET_LOT_SIZE is not LOT_SIZE", async () => {
    const venue = await start();
    await venue.control("/sim/symbols", { symbol: "BTCUSDT", marketMaxQty: "0.020" });
    const { symbols } = (await venue.public("GET /fapi/v1/exchangeInfo")).body as {
      symbols: { filters: { filterType: string; maxQty?: string }[] }[];
    };
    const maxQty = (type: string) =>
      symbols[0]?.filters.find(({ filterType }) => filterType === type)?.maxQty;
    expect([maxQty("LOT_SIZE"), maxQty("MARKET_LOT_SIZE")]).toEqual(["100000", "0.020"]);
    expect((await venue.order("BTCUSDT", { quantity: "0.062" })).body).toMatchObject({ code: -4005 });
    expect((await venue.order("BTCUSDT", { quantity: "0.020" })).body).toMatchObject({ status: "FILLED" });
  });

  it("is refused while the other side's best price is too far from the mark price", async () => {
    const venue = await start();
    await venue.control("/sim/symbols", { symbol: "BTCUSDT", spread: "0.0501" });
    expect((await venue.order("BTCUSDT")).body).toMatchObject({
      code: -4131,
      msg: "The counterparty's best price does not meet the PERCENT_PRICE filter limit.",
    });
    await venue.control("/sim/symbols", { symbol: "BTCUSDT", spread: "0.04" });
    const { avgPrice } = (await venue.order("BTCUSDT")).body as { avgPrice: string };
    expect(Number(avgPrice)).toBeLessThan(105_000 * 0.97);
  });
});

describe("a symbol that is not ASCII", () => {
  it("is percent-encoded, and the signature covers what was sent", async () => {
    const [spec] = DEFAULT_MARKET;
    const symbol = "测试币USDT";
    const venue = await start({ market: spec ? [{ ...spec, symbol }] : [] });
    expect((await venue.order(symbol)).body).toMatchObject({ symbol, status: "FILLED" });
    expect((await venue.signed("GET /fapi/v3/positionRisk", { symbol })).body).toMatchObject([{ symbol }]);

    const query = `symbol=${encodeURIComponent(symbol)}&timestamp=${Date.now()}`;
    const decoded = await venue.sent("GET /fapi/v3/positionRisk", query, decodeURIComponent(query));
    expect(decoded.body).toMatchObject({ code: -1022 });
  });
});

describe("lists of trades and orders", () => {
  const DAY_MS = 86_400_000;

  it("reach seven days back unless asked for a span, a page by id ninety days, and no list further", () => {
    let nowMs = Date.now();
    const account = new SimVenue(DEFAULT_MARKET, 1, false, () => nowMs);
    const symbol = "BTCUSDT";
    const startMs = nowMs;
    nowMs += 8 * DAY_MS;
    account.setPosition(symbol, "0.05", "other");
    const count = (query: object) => account.trades({ symbol, ...query }).length;
    expect(count({})).toBe(1);
    expect(count({ fromId: "1" })).toBe(2);
    expect(count({ startTime: String(startMs - 1) })).toBe(1);
    expect(count({ startTime: String(startMs + 2 * DAY_MS) })).toBe(1);
    expect(account.orders({ symbol })).toHaveLength(1);
    expect(account.orders({ symbol, orderId: "1" })).toHaveLength(2);
    expect(() => count({ startTime: String(startMs), endTime: String(nowMs) })).toThrow("7 days");
    nowMs = startMs + 91 * DAY_MS;
    expect(count({ fromId: "1" })).toBe(1);
    expect(() => count({ startTime: String(startMs) })).toThrow("recent 90 days only");
    expect(() => account.orders({ symbol, startTime: String(startMs) })).toThrow("recent 90 days only");
  });

  it("has a thousand rows at most", () => {
    const account = new SimVenue(DEFAULT_MARKET, 1, false, Date.now);
    expect(() => account.trades({ symbol: "BTCUSDT", limit: "1001" })).toThrow("'limit'");
  });
});
