import { Big } from "big.js";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { marketOf, parseProposalLines } from "./market.ts";

const lineOf = (fields: Record<string, string>) => JSON.stringify({ symbol: "BTCUSDT", ...fields });
const PLAIN = /^-?\d+(\.\d+)?$/;

describe("the market of a proposals file", () => {
  it("takes symbol, side and price of each symbol's first line", () => {
    const text = [
      lineOf({ position_side: "SHORT", position_current_price: "105.0", position_entry_price: "100.0" }),
      lineOf({ position_side: "LONG", position_current_price: "1.0" }),
      JSON.stringify({
        symbol: "ADAUSDT",
        position_side: "LONG",
        position_current_price: "0.27920000822700003",
      }),
    ].join("\n");
    expect(marketOf(parseProposalLines(text, "p.jsonl"))).toMatchObject([
      { symbol: "BTCUSDT", price: "105", positionAmt: "-95.238", entryPrice: "100", stepSize: "0.001" },
      { symbol: "ADAUSDT", price: "0.2792", positionAmt: "35817", tickSize: "0.00001", stepSize: "1" },
    ]);
  });

  it("can be closed in quarters at any price", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), (price) => {
        const [row] = marketOf(
          parseProposalLines(lineOf({ position_current_price: String(price) }), "p.jsonl"),
        );
        if (row === undefined) throw new Error("one line makes one row");
        const { symbol: _, ...decimals } = row;
        for (const decimal of Object.values(decimals)) expect(decimal).toMatch(PLAIN);
        const quarter = Big(row.positionAmt).div(4);
        expect(quarter.gte(row.minQty)).toBe(true);
        expect(quarter.times(row.price).gte(row.minNotional)).toBe(true);
        expect(Big(row.positionAmt).mod(row.stepSize).toFixed()).toBe("0");
        expect(Big(row.price).div(row.tickSize).gte(1000)).toBe(true);
      }),
    );
  });

  it("reads what each line expects", () => {
    const [line] = parseProposalLines(lineOf({ expected_plan_id: "cc13b4be14719eae" }), "p.jsonl");
    expect(line?.expectedPlanId).toBe("cc13b4be14719eae");
  });

  it.each([
    ["", "--proposals p.jsonl: the file has no lines"],
    [`${lineOf({})}\n{"symbol"`, "--proposals p.jsonl, line 2: not JSON"],
    [
      '{"symbol": "b c"}',
      '--proposals p.jsonl, line 1: symbol is "b c", must be 2 to 32 letters, digits and `_`',
    ],
  ])("refuses %j", (text, message) => {
    expect(() => parseProposalLines(text, "p.jsonl")).toThrow(message);
  });
});
