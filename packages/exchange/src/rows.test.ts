/** Rows as in real accounts, from an HTTP server through the real client. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createBinanceExchange } from "./binance-adapter.ts";
import type { UnreadableRow } from "./binance-options.ts";
import { isClosed, positionOf, refusesAll } from "./port.ts";
import { opens, reduces } from "./resting-orders.ts";

let body: unknown;
const server = createServer((_, reply) => {
  reply.end(JSON.stringify(body));
});
let url = "";
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

let unreadable: UnreadableRow[] = [];
beforeEach(() => void (unreadable = []));
const exchange = () =>
  createBinanceExchange({
    baseUrl: url,
    apiKey: "key",
    apiSecret: "secret",
    timeoutMs: 3_000,
    recvWindowMs: 5_000,
    onUnreadable: (row) => unreadable.push(row),
  });

const ORDER = {
  symbol: "ETHUSDT",
  orderId: 77,
  clientOrderId: "autoclose-1795692523301",
  side: "SELL",
  status: "NEW",
  reduceOnly: true,
  origQty: "1",
  executedQty: "0.25",
  avgPrice: "0.00000",
  updateTime: 1_795_692_523_301,
};
const POSITION = {
  symbol: "ETHUSDT",
  positionSide: "BOTH",
  positionAmt: "-1.5",
  entryPrice: "3000.1",
  markPrice: "3001",
  unRealizedProfit: "-1.35",
  notional: "-4501.5",
  positionInitialMargin: "225.075",
  updateTime: 1_795_692_523_301,
};

describe("open orders", () => {
  it.each([
    ["a status that is not documented", { status: "NEW_INSURANCE" }],
    ["one more", { status: "PENDING_CANCEL" }],
    ["an empty client order id", { clientOrderId: "" }],
    ["no client order id", { clientOrderId: undefined }],
    ["no average price", { avgPrice: undefined }],
    ["no reduceOnly, which is counted as one", { reduceOnly: undefined }],
    ["no time", { updateTime: undefined }],
  ])("are read with %s", async (_, over) => {
    body = [{ ...ORDER, ...over }];
    const { rows } = await exchange().openOrders();
    expect(rows).toMatchObject([{ symbol: "ETHUSDT", reduceOnly: true, origQty: "1", avgPrice: "" }]);
    expect(rows.some(isClosed)).toBe(false);
    expect(unreadable).toEqual([]);
  });

  it("may write quantities with an exponent", async () => {
    body = [{ ...ORDER, executedQty: "0E-8", origQty: "1.5E+3" }];
    expect((await exchange().openOrders()).rows).toMatchObject([{ executedQty: "0", origQty: "1500" }]);
  });

  it.each([
    ["no quantity", { origQty: undefined }],
    ["a quantity that is none", { executedQty: "much" }],
    ["an unknown side", { side: "BOTH" }],
  ])("with %s are unreadable for their symbol alone", async (_, over) => {
    body = [
      { ...ORDER, symbol: "BTCUSDT" },
      { ...ORDER, ...over },
    ];
    const answer = await exchange().openOrders();
    expect(answer.rows.map(({ symbol }) => symbol)).toEqual(["BTCUSDT"]);
    expect(answer.unreadable).toMatchObject([{ symbol: "ETHUSDT" }]);
    expect(unreadable).toMatchObject([{ endpoint: "openOrders", symbol: "ETHUSDT" }]);
  });

  it("that do not tell their symbol are nobody's, unless one symbol was queried", async () => {
    body = [null, { ...ORDER, symbol: "" }];
    expect((await exchange().openOrders()).unreadable.map(({ symbol }) => symbol)).toEqual([
      undefined,
      undefined,
    ]);
    expect((await exchange().openOrders("BTCUSDT")).unreadable.map(({ symbol }) => symbol)).toEqual([
      "BTCUSDT",
      "BTCUSDT",
    ]);
  });

  it.each([
    ["true", true],
    ["false", false],
    [null, true],
  ])("with reduceOnly %o are counted as reduce-only: %s", async (reduceOnly, counted) => {
    body = [{ ...ORDER, reduceOnly }];
    expect((await exchange().openOrders()).rows).toMatchObject([{ reduceOnly: counted }]);
  });

  it.each([
    ["LIMIT", { type: "LIMIT", reduceOnly: false }, false, true],
    ["LIMIT", { type: "LIMIT", reduceOnly: true }, true, false],
    ["STOP_MARKET", { type: "STOP_MARKET", reduceOnly: false, closePosition: true }, true, false],
    ["STOP_MARKET", { type: "STOP_MARKET", reduceOnly: "odd", closePosition: true }, true, false],
    ["", { reduceOnly: false, closePosition: null }, false, true],
    ["", { reduceOnly: null }, true, true],
    ["", { reduceOnly: "odd", closePosition: false }, true, true],
  ])("of type %j with %o: reduce is %s, open is %s", async (type, over, isReducing, isOpening) => {
    body = [{ ...ORDER, ...over }];
    const [row] = (await exchange().openOrders()).rows;
    expect(row).toMatchObject({ type });
    expect(row && [reduces(row), opens(row)]).toEqual([isReducing, isOpening]);
  });

  it("are no list where the answer is none", async () => {
    body = { rows: [] };
    await expect(exchange().openOrders()).rejects.toThrow("unreadable answer");
    await expect(exchange().openAlgoOrders()).rejects.toThrow("unreadable answer");
  });
});

describe("algo orders", () => {
  const ALGO = {
    algoId: 3_000_000_000_003_505,
    clientAlgoId: "MRumok0dkhrP4kCm12AHaB",
    algoType: "CONDITIONAL",
    orderType: "STOP_MARKET",
    symbol: "ETHUSDT",
    side: "BUY",
    quantity: "0.01",
    algoStatus: "NEW",
    triggerPrice: "750.000",
    closePosition: false,
    reduceOnly: true,
  };

  it("are read with what they would do", async () => {
    body = [ALGO];
    const { rows } = await exchange().openAlgoOrders();
    expect(rows).toEqual([
      {
        symbol: "ETHUSDT",
        algoId: "3000000000003505",
        clientAlgoId: "MRumok0dkhrP4kCm12AHaB",
        side: "BUY",
        type: "STOP_MARKET",
        reduceOnly: true,
        closePosition: false,
        quantity: "0.01",
        triggerPrice: "750.000",
      },
    ]);
  });

  it.each([
    ["an entry", { reduceOnly: false }, false, true],
    ["one that closes all", { reduceOnly: false, closePosition: true, quantity: "0" }, true, false],
    ["one without its flags", { reduceOnly: undefined, closePosition: undefined }, true, true],
    ["one without a quantity and a price", { quantity: null, triggerPrice: undefined }, true, false],
  ])("are judged: %s", async (_, over, isReducing, isOpening) => {
    body = [{ ...ALGO, ...over }];
    const [row] = (await exchange().openAlgoOrders("ETHUSDT")).rows;
    expect(row && [reduces(row), opens(row)]).toEqual([isReducing, isOpening]);
  });

  it("without an id are unreadable for their symbol, and do not hide the others", async () => {
    body = [{ ...ALGO, algoId: undefined }, ALGO];
    const answer = await exchange().openAlgoOrders();
    expect(answer.rows).toHaveLength(1);
    expect(answer.unreadable).toMatchObject([{ symbol: "ETHUSDT" }]);
    expect(unreadable).toMatchObject([{ endpoint: "openAlgoOrders", symbol: "ETHUSDT" }]);
  });
});

describe("positions", () => {
  it.each([
    ["a leverage that only the margin tells", {}, { leverage: "20" }],
    ["no margin", { positionInitialMargin: undefined }, { leverage: "" }],
    ["a margin of nothing", { notional: "0", positionInitialMargin: "0" }, { leverage: "" }],
    ["an empty entry price", { entryPrice: "" }, { entryPrice: "" }],
    ["a zero with an exponent", { positionAmt: "0E-8" }, { positionAmt: "0" }],
    ["a mark price of 0, which is none", { markPrice: "0.00000000" }, { markPrice: "" }],
    ["no profit", { unRealizedProfit: null }, { unrealizedProfit: "" }],
  ])("are read with %s", async (_, over, read) => {
    body = [{ ...POSITION, ...over }];
    expect((await exchange().positions()).rows).toMatchObject([read]);
  });

  it("of one side of a hedge, or without an amount, are unreadable for their symbol alone", async () => {
    body = [
      POSITION,
      { ...POSITION, symbol: "A", positionSide: "LONG" },
      { ...POSITION, symbol: "B", positionAmt: "" },
    ];
    const answer = await exchange().positions();
    expect(answer.rows.map(({ symbol }) => symbol)).toEqual(["ETHUSDT"]);
    expect(answer.unreadable.map(({ symbol }) => symbol)).toEqual(["A", "B"]);
  });
});

describe("a symbol without a row", () => {
  const flat = { positionAmt: "0", entryPrice: "0", markPrice: "", updateTimeMs: 0 };

  it("is flat, among other symbols and alone", async () => {
    body = [POSITION];
    expect(positionOf(await exchange().positions(), "BTCUSDT")).toMatchObject({ symbol: "BTCUSDT", ...flat });
    expect(positionOf(await exchange().positions(), "ETHUSDT")?.positionAmt).toBe("-1.5");
    body = [];
    expect(positionOf(await exchange().positions("BTCUSDT"), "BTCUSDT")).toMatchObject(flat);
  });

  it.each<[string, unknown[]]>([
    ["a row is nobody's", [POSITION, { ...POSITION, symbol: null }]],
    ["a row is unreadable", [POSITION, null]],
    ["its own row is unreadable", [{ ...POSITION, symbol: "BTCUSDT", positionAmt: null }]],
    ["one of its two rows is unreadable", [{ ...POSITION, symbol: "BTCUSDT" }, { symbol: "BTCUSDT" }]],
  ])("is neither flat nor anything else if %s", async (_, rows) => {
    body = rows;
    expect(positionOf(await exchange().positions(), "BTCUSDT")).toBeUndefined();
    expect(positionOf(await exchange().positions("BTCUSDT"), "BTCUSDT")).toBeUndefined();
  });

  it("is not flat by an answer about another symbol", async () => {
    body = [POSITION];
    expect(positionOf(await exchange().positions("BTCUSDT"), "BTCUSDT")).toBeUndefined();
    expect(unreadable).toMatchObject([
      { endpoint: "positionRisk", symbol: "BTCUSDT", problem: expect.stringContaining("ETHUSDT") },
    ]);
  });
});

describe("trades", () => {
  it("of which one is unreadable are no list to sum up", async () => {
    const trade = { id: 1, orderId: 7, symbol: "ETHUSDT", side: "BUY", price: "0", qty: "0E-8", time: 1 };
    body = [trade, { ...trade, id: 2, qty: "?" }];
    await expect(exchange().trades("ETHUSDT")).rejects.toThrow(/ETHUSDT: unreadable answer at "qty"/);
    expect(unreadable).toMatchObject([{ endpoint: "userTrades", symbol: "ETHUSDT" }]);
    body = [trade];
    expect(await exchange().trades("ETHUSDT")).toMatchObject([{ price: "", qty: "0" }]);
  });
});

describe("rules", () => {
  const LOT = { filterType: "LOT_SIZE", stepSize: "0.001", minQty: "0.001", maxQty: "1000" };
  const MIN_NOTIONAL = { filterType: "MIN_NOTIONAL", notional: "5" };

  it("are those of the symbols that can be read", async () => {
    body = {
      symbols: [
        { symbol: "ETHUSDT", status: "PRE_SETTLE", filters: [LOT, MIN_NOTIONAL] },
        { symbol: "ODDUSDT", status: "TRADING" },
        { symbol: "OLDUSDT", status: "CLOSE", filters: [MIN_NOTIONAL] },
      ],
    };
    const rules = await exchange().rules();
    expect([...rules.keys()]).toEqual(["ETHUSDT"]);
    expect(rules.get("ETHUSDT")).toMatchObject({ status: "PRE_SETTLE", minNotional: "5", tickSize: "" });
    expect(unreadable.map(({ symbol }) => symbol)).toEqual(["ODDUSDT", "OLDUSDT"]);
  });

  it.each([
    [{ maxQty: "120" }, { stepSize: "0.001", minQty: "0.001", maxQty: "120" }],
    [
      { stepSize: "0", minQty: null, maxQty: "" },
      { stepSize: "0.001", minQty: "0.001", maxQty: "1000" },
    ],
    [
      { stepSize: 1, minQty: 2, maxQty: 3 },
      { stepSize: "1", minQty: "2", maxQty: "3" },
    ],
    [
      { stepSize: "0.0001", minQty: "0.0001", maxQty: "9000" },
      { stepSize: "0.001", minQty: "0.001", maxQty: "1000" },
    ],
  ])(
    "for market orders are those of the lot size, except for what is narrower in %o",
    async (market, merged) => {
      const filters = [
        { filterType: "MARKET_LOT_SIZE", ...market },
        LOT,
        { filterType: "POSITION_RISK_CONTROL" },
      ];
      body = { symbols: [{ symbol: "ETHUSDT", filters }] };
      expect((await exchange().rules()).get("ETHUSDT")).toMatchObject({ ...merged, minNotional: "0" });
    },
  );

  it.each([
    ["TRADING", false],
    ["PRE_SETTLE", false],
    ["PRE_DELIVERING", false],
    ["TRADING_HALT", false],
    ["", false],
    ["PENDING_TRADING", true],
    ["DELIVERING", true],
    ["DELIVERED", true],
    ["SETTLING", true],
    ["CLOSE", true],
  ])("of a symbol that is %o forbid even to close: %s", (status, refused) => {
    expect(refusesAll({ status })).toBe(refused);
  });
});
