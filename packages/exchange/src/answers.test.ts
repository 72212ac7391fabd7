/** Answers with fields missing, null, of other types, or that nobody knows, as JSON text through the client's parser. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import {
  errorAnswer,
  hedgeModeAnswer,
  openOrdersAnswer,
  orderAnswer,
  placementAnswer,
  positionsAnswer,
  rulesAnswer,
  tradesAnswer,
} from "./answers.ts";
import { parseLossless } from "./binance-client.ts";
import { isClosed, type Rows } from "./port.ts";

/** Above 2^53. */
const LONG_ID = "9223372036854775807";

/** Fields as JSON text, so that a number keeps its digits. */
type Json = Readonly<Record<string, string>>;

const ORDER: Json = {
  orderId: LONG_ID,
  symbol: '"币安人生USDT"',
  status: '"FILLED"',
  clientOrderId: '"qp-00000000000000aa-1"',
  price: '"0.00"',
  avgPrice: '"0.1270500"',
  origQty: '"640"',
  executedQty: '"640"',
  cumQuote: '"81.3120000"',
  reduceOnly: "true",
  closePosition: "false",
  side: '"BUY"',
  positionSide: '"BOTH"',
  time: "1789128259631",
  updateTime: "1789128259640",
};
const POSITION: Json = {
  symbol: '"1000SATSUSDT"',
  positionSide: '"BOTH"',
  positionAmt: '"-24991"',
  entryPrice: '"2.8E-4"',
  breakEvenPrice: '"2.80056E-4"',
  markPrice: '"0.00028120"',
  unRealizedProfit: '"0.02998920"',
  liquidationPrice: '"0"',
  marginAsset: '"USDT"',
  adl: "2",
  updateTime: "1723854821593",
};
const TRADE: Json = {
  symbol: '"ETHUSDT"',
  id: LONG_ID,
  orderId: `"${LONG_ID}"`,
  side: '"SELL"',
  price: '"3310.07"',
  qty: '"0.250"',
  realizedPnl: '"-1.5"',
  commission: '"0.33100700"',
  buyer: "false",
  time: "1569514978020",
};
const textOf = (fields: Json) =>
  `{${Object.entries(fields)
    .map(([name, value]) => `${JSON.stringify(name)}:${value}`)
    .join(",")}}`;
const listOf = (rows: readonly string[]) => `[${rows.join(",")}]`;

/** What a field may hold instead, as JSON; undefined: it is missing. */
const ODD = [
  ...[undefined, "null", '""', '"?"', "true", '"true"', "[]", "{}", "0", '"0"', '"-0.000"', "-1", "1.5"],
  ...[
    '"1E+3"',
    '"0E-8"',
    '"1e999"',
    "1e400",
    '"NaN"',
    '"Infinity"',
    '"0x10"',
    '"１"',
    LONG_ID,
    `"${LONG_ID}"`,
  ],
  ...[
    '"BOTH"',
    '"LONG"',
    '"BUY"',
    '"NEW"',
    '"EXPIRED_IN_MATCH"',
    String.raw`"\u001b[2J"`,
    String.raw`"\ud800"`,
  ],
];

/** The row with some fields changed and some added. */
function oddly(row: Json) {
  const changes = fc.dictionary(fc.constantFrom(...Object.keys(row)), fc.constantFrom(...ODD), {
    maxKeys: 3,
  });
  const additions = fc.dictionary(fc.string({ minLength: 1 }), fc.constantFrom("null", "{}", "1e5"), {
    maxKeys: 2,
  });
  return fc.tuple(changes, additions).map(([changed, added]) => {
    const fields = { ...added, ...row, ...changed };
    const left = Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined);
    return textOf(Object.fromEntries(left));
  });
}

const DECIMAL = /^-?\d+(\.\d+)?$/;
const isOneOf = (row: string, id: string) => [id, `"${id}"`].some((written) => row.includes(`:${written}`));

describe("a list", () => {
  it.each<[string, z.ZodType<Rows<object>>, Json, readonly string[], readonly string[]]>([
    ["of positions", positionsAnswer, POSITION, ["positionAmt"], []],
    ["of open orders", openOrdersAnswer, ORDER, ["origQty", "executedQty"], ["orderId"]],
    ["of trades", tradesAnswer, TRADE, ["qty"], ["id", "orderId"]],
  ])(
    "%s has each odd row once, read or unreadable, and the others as they are",
    (_, schema, row, decimals, ids) => {
      fc.assert(
        fc.property(fc.array(oddly(row), { maxLength: 4 }), fc.nat(4), (odd, at) => {
          const texts = odd.toSpliced(at, 0, textOf(row));
          const { rows, unreadable } = schema.parse(parseLossless(listOf(texts)));
          expect(rows.length + unreadable.length).toBe(texts.length);
          expect(rows).toContainEqual(schema.parse(parseLossless(listOf([textOf(row)]))).rows[0]);
          for (const each of rows as Record<string, string>[]) {
            for (const name of decimals) expect(each[name]).toMatch(DECIMAL);
            for (const name of ids) expect(texts.some((text) => isOneOf(text, each[name] ?? "?"))).toBe(true);
          }
        }),
      );
    },
  );
});

describe("an order", () => {
  it("is read with exact values, or not at all, and is closed only if it says what it filled", () => {
    fc.assert(
      fc.property(oddly(ORDER), (text) => {
        const order = orderAnswer.safeParse(parseLossless(text)).data;
        if (order === undefined) return;
        expect(isOneOf(text, order.orderId)).toBe(true);
        expect(order.executedQty).toMatch(DECIMAL);
        for (const value of [order.avgPrice, order.origQty]) expect(value).toMatch(/^(-?\d+(\.\d+)?)?$/);
        const isFilled = isClosed(order) && order.status === "FILLED";
        expect(isFilled && Number(order.executedQty) <= 0).toBe(false);
      }),
    );
  });

  it("that was placed is acknowledged if it has an id, whatever else it says", () => {
    fc.assert(
      fc.property(oddly(ORDER), (text) => {
        const parsed = placementAnswer.safeParse(parseLossless(text));
        expect(parsed.success).toBe(/"orderId":("\d+"|\d+)[,}]/.test(text));
        expect(parsed.data === undefined || isOneOf(text, parsed.data.orderId)).toBe(true);
      }),
    );
  });
});

describe("the symbols' rules", () => {
  const LOT: Json = {
    filterType: '"LOT_SIZE"',
    stepSize: '"0.001"',
    minQty: '"0.001"',
    maxQty: '"1000"',
  };

  it("are those of the symbols that can be read, with a step to round to", () => {
    fc.assert(
      fc.property(oddly(LOT), oddly({ ...LOT, filterType: '"MARKET_LOT_SIZE"' }), (lot, market) => {
        const symbols = listOf([
          `{"symbol":"XAUUSDT","contractType":"TRADIFI_PERPETUAL","filters":${listOf([market, lot])}}`,
          `{"symbol":"BTCUSDT_261225","filters":${listOf([textOf(LOT)])}}`,
        ]);
        const { rows, unreadable } = rulesAnswer.parse(parseLossless(`{"symbols":${symbols}}`)).symbols;
        expect(rows.length + unreadable.length).toBe(2);
        expect(rows.at(-1)).toMatchObject({ symbol: "BTCUSDT_261225", stepSize: "0.001" });
        for (const { stepSize, minQty, maxQty } of rows) {
          expect(Number(stepSize)).toBeGreaterThan(0);
          for (const value of [minQty, maxQty]) expect(value).toMatch(DECIMAL);
        }
      }),
    );
  });
});

describe("the other answers", () => {
  it.each([
    ['{"code":-4131,"msg":"x"}', { code: -4131, msg: "x" }],
    ['{"code":"-4131","msg":null,"data":{}}', { code: -4131, msg: "" }],
    ['{"code":-4131}', { code: -4131, msg: "" }],
    ['{"code":null,"msg":"x"}', undefined],
    ['{"msg":"x"}', undefined],
    ["null", undefined],
  ])("the error %s", (json, error) => {
    expect(errorAnswer.safeParse(parseLossless(json)).data).toEqual(error);
  });

  it.each([
    ['{"dualSidePosition":true}', true],
    ['{"dualSidePosition":"false"}', false],
    ['{"dualSidePosition":null}', undefined],
    ["{}", undefined],
  ])("the position mode %s", (json, isHedged) => {
    expect(hedgeModeAnswer.safeParse(parseLossless(json)).data?.dualSidePosition).toBe(isHedged);
  });
});
