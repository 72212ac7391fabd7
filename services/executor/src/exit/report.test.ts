import type { Position, SymbolRules } from "@quantum/exchange";
import { describe, expect, it } from "vitest";
import { type Found, reportOf } from "./report.ts";

const RULES: SymbolRules = {
  symbol: "BTCUSDT",
  status: "TRADING",
  stepSize: "0.001",
  minQty: "0.002",
  maxQty: "1",
  minNotional: "5",
  tickSize: "0.1",
};

const positionOf = (symbol: string, positionAmt: string): Position => ({
  symbol,
  positionAmt,
  entryPrice: "0",
  markPrice: "",
  unrealizedProfit: "0",
  leverage: "",
  updateTimeMs: 0,
});

function report(over: Partial<Found>) {
  const found = {
    positions: { rows: [], unreadable: [] },
    resting: { orders: [], unreadable: [], isComplete: true },
    rulesOf: () => RULES,
    keys: 2,
    problems: [],
  };
  return reportOf({ ...found, ...over }, 1);
}

describe("a drill's report", () => {
  it("of a flat account with two keys has nothing to say", () => {
    const positions = { rows: [positionOf("BTCUSDT", "0.000")], unreadable: [] };
    expect(report({ positions })).toEqual({
      at_ms: 1,
      complete: true,
      positions: [],
      cancels: [],
      hindrances: [],
    });
  });

  it("splits a position by the largest order", () => {
    const positions = { rows: [positionOf("BTCUSDT", "2.5")], unreadable: [] };
    expect(report({ positions })).toMatchObject({
      positions: [{ symbol: "BTCUSDT", amt: "2.5", side: "SELL", steps: ["1", "1", "0.5"], dust: "" }],
      hindrances: [],
    });
  });

  it.each([
    [
      "has no rules",
      { rulesOf: () => undefined },
      "X: the exchange does not list it, so no order can be made for 1",
    ],
    [
      "settles",
      { rulesOf: () => ({ ...RULES, status: "SETTLING" }) },
      "X: its status is SETTLING, in which the exchange accepts no orders",
    ],
    [
      "needs too many orders",
      { rulesOf: () => ({ ...RULES, maxQty: "0.002" }) },
      "X: more than 100 orders are needed",
    ],
  ])("says that a symbol %s", (_, over, sentence) => {
    const positions = { rows: [positionOf("X", "1")], unreadable: [] };
    expect(report({ positions, ...over }).hindrances).toEqual([sentence]);
  });

  it("says what cannot be read: it may be a position", () => {
    const positions = {
      rows: [],
      unreadable: [
        { symbol: "X", problem: "positionAmt: a number" },
        { symbol: undefined, problem: "symbol: text" },
      ],
    };
    const resting = { orders: [], unreadable: [], isComplete: false };
    const problems = ["open orders cannot be read: HTTP 503"];
    expect(report({ positions, resting, problems })).toMatchObject({
      complete: false,
      positions: [
        { symbol: "X", unreadable: true, steps: [] },
        { symbol: "", unreadable: true },
      ],
      hindrances: [
        "open orders cannot be read: HTTP 503",
        "the position of X cannot be read: positionAmt: a number",
        "the position of some symbol cannot be read: symbol: text",
      ],
    });
  });

  it("says that fewer than two keys are enrolled", () => {
    expect(report({ keys: 1 }).hindrances).toEqual([
      "only one operator's key is enrolled: without its owner nobody can exit",
    ]);
  });

  it("says when an order that waits could open a position", () => {
    const order = {
      symbol: "X",
      id: "7",
      kind: "algo",
      side: "BUY",
      type: "STOP_MARKET",
      quantity: "1",
    } as const;
    const resting = {
      orders: [{ ...order, reduces: false, opens: true }],
      unreadable: [],
      isComplete: true,
    };
    const { quantity: qty, ...cancel } = order;
    expect(report({ resting }).cancels).toEqual([{ ...cancel, qty, reduces: false }]);
  });

  it("says that an order that cannot be read waits: it may open a position", () => {
    const unreadable = [
      { symbol: "X", kind: "order" },
      { symbol: "", kind: "algo" },
    ] as const;
    const odd = { id: "", side: "", type: "", qty: "", reduces: false };
    expect(report({ resting: { orders: [], unreadable, isComplete: true } }).cancels).toEqual([
      { symbol: "X", kind: "order", ...odd },
      { symbol: "", kind: "algo", ...odd },
    ]);
  });
});
