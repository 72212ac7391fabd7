/** Messages of the user data stream, in the shapes that were seen at the venue, with invented values. */
import { describe, expect, it } from "vitest";
import { readStreamMessage } from "./stream-events.ts";

const AT = 1_795_692_523_301;

const FILL = {
  s: "ETHUSDT",
  c: "qp-0123456789abcdef-1",
  S: "BUY",
  o: "MARKET",
  f: "GTC",
  q: "1.5",
  p: "0",
  ap: "3001.20",
  x: "TRADE",
  X: "PARTIALLY_FILLED",
  i: 77,
  l: "0.5",
  z: "1.0",
  L: "3001.30",
  N: "USDT",
  n: "0.6",
  T: AT,
  t: 901,
  R: true,
  ps: "BOTH",
};
const POSITION = { s: "ETHUSDT", pa: "-0.5", ep: "3002.1", cr: "1.2", up: "-0.4", mt: "cross", ps: "BOTH" };

const orderText = (over: object = {}, top: object = {}) =>
  JSON.stringify({ e: "ORDER_TRADE_UPDATE", T: AT, E: AT + 4, o: { ...FILL, ...over }, ...top });
const accountText = (rows: unknown, over: object = {}) =>
  JSON.stringify({ e: "ACCOUNT_UPDATE", T: AT, E: AT + 3, a: { m: "ORDER", B: [], P: rows, ...over } });

describe("an order event", () => {
  it("is read with its fill", () => {
    expect(readStreamMessage(orderText())).toEqual({
      kind: "order",
      event: {
        symbol: "ETHUSDT",
        orderId: "77",
        clientOrderId: "qp-0123456789abcdef-1",
        side: "BUY",
        reduceOnly: true,
        executionType: "TRADE",
        status: "PARTIALLY_FILLED",
        origQty: "1.5",
        executedQty: "1.0",
        avgPrice: "3001.20",
        fill: { tradeId: "901", qty: "0.5", price: "3001.30" },
        eventTimeMs: AT + 4,
        timeMs: AT,
        origin: "ours",
      },
    });
  });

  it("keeps ids above 2^53 exact, written as numbers or as text", () => {
    const huge = orderText()
      .replace('"i":77', '"i":9223372036854775807')
      .replace('"t":901', '"t":9007199254740993');
    const read = { event: { orderId: "9223372036854775807", fill: { tradeId: "9007199254740993" } } };
    expect(readStreamMessage(huge)).toMatchObject(read);
    const quoted = orderText({ i: "9223372036854775807", t: "9007199254740993" });
    expect(readStreamMessage(quoted)).toMatchObject(read);
  });

  it("may write numbers where text is usual, text where numbers are, and an exponent", () => {
    const odd = orderText(
      { q: 1.5, l: 0.5, z: "1E+0", L: 3001.3, ap: 0, R: "false" },
      { E: String(AT), T: String(AT) },
    );
    expect(readStreamMessage(odd)).toMatchObject({
      event: {
        origQty: "1.5",
        executedQty: "1",
        avgPrice: "",
        reduceOnly: false,
        fill: { qty: "0.5", price: "3001.3" },
        eventTimeMs: AT,
      },
    });
  });

  it.each([
    ["no average price", { ap: undefined }, { avgPrice: "" }],
    ["a null average price", { ap: null }, { avgPrice: "" }],
    ["no original quantity", { q: undefined }, { origQty: "" }],
    ["no client order id", { c: undefined }, { clientOrderId: "", origin: "other" }],
    ["a null client order id", { c: null }, { clientOrderId: "", origin: "other" }],
    ["no reduceOnly, which counts as one", { R: null }, { reduceOnly: true }],
    ["a fill without a price", { L: undefined }, { fill: { tradeId: "901", qty: "0.5", price: "" } }],
    ["a field that is new", { zz: { deep: [1] } }, { symbol: "ETHUSDT" }],
    ["a status that is not documented", { X: "NEW_INSURANCE" }, { status: "NEW_INSURANCE" }],
    ["a symbol that is not ASCII", { s: "币安人生USDT" }, { symbol: "币安人生USDT" }],
  ])("is read with %s", (_, over, read) => {
    expect(readStreamMessage(orderText(over))).toMatchObject({ kind: "order", event: read });
  });

  it.each([
    ["NEW", { x: "NEW", X: "NEW", l: "0", z: "0", t: 0 }],
    ["NEW without the fields of a fill", { x: "NEW", X: "NEW", l: undefined, z: "0", t: undefined }],
    ["CANCELED", { x: "CANCELED", X: "CANCELED", l: "0", t: 0 }],
    ["EXPIRED that repeats the last quantity without its trade", { x: "EXPIRED", X: "EXPIRED", t: 0 }],
    ["AMENDMENT", { x: "AMENDMENT", X: "NEW", l: "0", t: -1 }],
    [
      "a liquidation that is announced",
      { x: "CALCULATED", X: "NEW", c: "autoclose-1", l: "0", z: "0", t: 0 },
    ],
  ])("has no fill: %s", (_, over) => {
    expect(readStreamMessage(orderText(over))).toMatchObject({ kind: "order", event: { fill: undefined } });
  });

  it.each([
    ["qp-0123456789abcdef-12", "ours"],
    ["qp-0123456789abcdef-0", "other"],
    ["qp-0123456789ABCDEF-1", "other"],
    ["autoclose-1795692523301", "liquidation"],
    ["adl_autoclose", "adl"],
    ["settlement_autoclose-1", "settlement"],
    ["delivery_autoclose-1", "settlement"],
    ["web_AbCdEf", "other"],
    ["x-autoclose-1", "other"],
  ])("of client order id %s is of origin %s", (c, origin) => {
    expect(readStreamMessage(orderText({ c }))).toMatchObject({ event: { origin } });
  });

  it("is a fill when it is a liquidation", () => {
    const text = orderText({ c: "autoclose-1", x: "CALCULATED", X: "NEW_ADL" });
    expect(readStreamMessage(text)).toMatchObject({
      event: { fill: { tradeId: "901" }, origin: "liquidation" },
    });
  });

  it.each([
    ["no symbol", { s: undefined }, undefined],
    ["an empty symbol", { s: "" }, undefined],
    ["no order id", { i: undefined }, "ETHUSDT"],
    ["an order id that is none", { i: -1 }, "ETHUSDT"],
    ["an unknown side", { S: "BOTH" }, "ETHUSDT"],
    ["no cumulative quantity", { z: null }, "ETHUSDT"],
    ["a quantity that is none", { z: "much" }, "ETHUSDT"],
    ["no status", { X: "" }, "ETHUSDT"],
    ["a trade without an id", { t: 0 }, "ETHUSDT"],
    ["a trade whose id is missing", { t: null }, "ETHUSDT"],
    ["a trade without a quantity", { l: "0" }, "ETHUSDT"],
    ["a trade whose quantity is unreadable", { l: "much" }, "ETHUSDT"],
    ["a liquidation's fill without an id", { x: "CALCULATED", t: 0 }, "ETHUSDT"],
  ])("is unreadable with %s", (_, over, symbol) => {
    expect(readStreamMessage(orderText(over))).toMatchObject({
      kind: "unreadable",
      unreadable: { type: "ORDER_TRADE_UPDATE", symbol, problem: expect.stringMatching(/\w/) as string },
    });
  });

  it("is unreadable without its times", () => {
    expect(readStreamMessage(orderText({}, { E: null }))).toMatchObject({
      unreadable: { symbol: "ETHUSDT", problem: expect.stringContaining('"E"') as string },
    });
    expect(readStreamMessage(orderText({}, { T: "later" }))).toMatchObject({ kind: "unreadable" });
  });
});

describe("an account event", () => {
  it("tells the positions after it", () => {
    expect(readStreamMessage(accountText([POSITION, { ...POSITION, s: "UNKNOWNUSDT", pa: 0 }]))).toEqual({
      kind: "account",
      event: {
        reason: "ORDER",
        eventTimeMs: AT + 3,
        timeMs: AT,
        positions: [
          { symbol: "ETHUSDT", positionAmt: "-0.5", entryPrice: "3002.1", unrealizedProfit: "-0.4" },
          { symbol: "UNKNOWNUSDT", positionAmt: "0", entryPrice: "3002.1", unrealizedProfit: "-0.4" },
        ],
      },
      unreadable: [],
    });
  });

  it.each([
    ["none", undefined],
    ["null", null],
    ["an empty list", []],
  ])("of balances alone has no positions: %s", (_, rows) => {
    expect(readStreamMessage(accountText(rows))).toMatchObject({ event: { positions: [] }, unreadable: [] });
  });

  it("is read without a reason, an entry price and a profit", () => {
    const text = accountText([{ s: "A", pa: "0E-8", ep: "", up: null, ps: "BOTH" }], { m: null });
    expect(readStreamMessage(text)).toMatchObject({
      event: {
        reason: "",
        positions: [{ symbol: "A", positionAmt: "0", entryPrice: "", unrealizedProfit: "" }],
      },
    });
  });

  it("names each row that cannot be read, and reads the others", () => {
    const rows = [
      { ...POSITION, s: "A", pa: "" },
      { ...POSITION, s: "B", ps: "LONG" },
      { ...POSITION, s: "C", ps: undefined },
      { ...POSITION, s: "" },
      null,
      POSITION,
    ];
    const message = readStreamMessage(accountText(rows));
    expect(message).toMatchObject({ event: { positions: [{ symbol: "ETHUSDT" }] } });
    const symbols = message.kind === "account" ? message.unreadable.map(({ symbol }) => symbol) : [];
    expect(symbols).toEqual(["A", "B", "C", undefined, undefined]);
  });

  it("does not trip over the empty sides of a hedge", () => {
    const rows = [POSITION, { ...POSITION, ps: "LONG", pa: "0" }, { ...POSITION, ps: "SHORT", pa: "0.000" }];
    expect(readStreamMessage(accountText(rows))).toMatchObject({
      event: { positions: [{ positionAmt: "-0.5" }] },
      unreadable: [],
    });
  });

  it.each([
    ["positions that are no list", accountText({})],
    ["no time", accountText([POSITION]).replace(`"T":${AT}`, '"T":null')],
    ["no account", JSON.stringify({ e: "ACCOUNT_UPDATE", E: AT, T: AT })],
  ])("is unreadable, for all symbols, with %s", (_, text) => {
    expect(readStreamMessage(text)).toMatchObject({
      kind: "unreadable",
      unreadable: { type: "ACCOUNT_UPDATE", symbol: undefined },
    });
  });
});

describe("any other message", () => {
  it("that says that the key has expired is understood, whatever else it says", () => {
    const text = JSON.stringify({ e: "listenKeyExpired", E: String(AT), listenKey: "abc" });
    expect(readStreamMessage(text)).toEqual({ kind: "key_expired" });
  });

  it("is ignored if it is an event that we do not know", () => {
    for (const e of ["TRADE_LITE", "MARGIN_CALL", "ACCOUNT_CONFIG_UPDATE"])
      expect(readStreamMessage(JSON.stringify({ e, E: AT, s: "ETHUSDT" }))).toEqual({ kind: "ignored" });
  });

  it("may come in the envelope of a combined stream", () => {
    const text = `{"stream":"abc","data":${orderText()}}`;
    expect(readStreamMessage(text)).toMatchObject({ kind: "order", event: { orderId: "77" } });
  });

  it.each(["", "{", "null", "[]", "7", '"text"', "{}", '{"e":null}', '{"result":null,"id":1}', "\u0000"])(
    "is unreadable, for all symbols: %j",
    (text) => {
      expect(readStreamMessage(text)).toMatchObject({
        kind: "unreadable",
        unreadable: { type: "other", symbol: undefined },
      });
    },
  );
});
