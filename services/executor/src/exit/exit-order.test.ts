import type { SymbolRules } from "@quantum/exchange";
import { Big } from "big.js";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { closingSide, exitIntent, exitSteps } from "./exit-order.ts";

const RULES: SymbolRules = {
  symbol: "BTCUSDT",
  status: "TRADING",
  stepSize: "0.001",
  minQty: "0.002",
  maxQty: "1",
  minNotional: "5",
  tickSize: "0.1",
};
const SELL = { side: "SELL", largestQty: "0.5" } as const;

describe("an exit's order", () => {
  it.each([
    ["what was signed, if the position has more", "0.8", { quantity: "0.5" }],
    ["the position, if it has less", "0.1239", { quantity: "0.123" }],
  ])("is for %s", (_, position, expected) => {
    expect(exitIntent(SELL, position, RULES)).toEqual({ side: "SELL", detail: "", ...expected });
  });

  it("is for what the venue takes at once, and says so", () => {
    const signed = { side: "BUY", largestQty: "2.5" } as const;
    expect(exitIntent(signed, "-3", RULES)).toEqual({
      side: "BUY",
      quantity: "1",
      detail: "",
      cappedByVenue: true,
    });
  });

  it.each([
    ["exit_flat", "0.000", SELL, ""],
    ["exit_side_changed", "-0.3", SELL, "SELL does not close -0.3"],
    [
      "quantity_below_minimum",
      "0.0019",
      SELL,
      "0.0019 is left, which is less than the smallest order of 0.002",
    ],
    [
      "quantity_below_minimum",
      "0.5",
      { side: "SELL", largestQty: "0.0015" },
      "0.0015 was signed, and the smallest order is 0.002",
    ],
  ] as const)("is refused: %s for %s", (refusal, position, signed, detail) => {
    expect(exitIntent(signed, position, RULES)).toMatchObject({ refusal, detail });
  });

  it("is refused if the venue does not list the symbol", () => {
    expect(exitIntent(SELL, "1", undefined)).toMatchObject({ refusal: "symbol_unknown" });
  });
});

const amounts = fc.integer({ min: 1, max: 10 ** 12 }).map((units) =>
  Big(units)
    .div(10 ** 6)
    .toFixed(),
);
const steps = fc.constantFrom("1", "0.1", "0.001", "0.00001", "5");
const rules = fc
  .record({
    step: steps,
    minSteps: fc.integer({ min: 1, max: 10 }),
    maxSteps: fc.integer({ min: 10, max: 10 ** 6 }),
  })
  .map(({ step, minSteps, maxSteps }) => ({
    ...RULES,
    stepSize: step,
    minQty: Big(step).times(minSteps).toFixed(),
    maxQty: Big(step).times(maxSteps).toFixed(),
  }));
const positions = fc.tuple(amounts, fc.boolean()).map(([amount, isLong]) => (isLong ? amount : `-${amount}`));

describe("whatever position, signature and rules", () => {
  it("an order never exceeds position, signature or limit, is a multiple of the step, and closes (I5)", () => {
    fc.assert(
      fc.property(
        positions,
        amounts,
        fc.constantFrom("BUY" as const, "SELL" as const),
        rules,
        (position, largestQty, side, of) => {
          const { quantity, refusal, ...intent } = exitIntent({ side, largestQty }, position, of);
          expect(intent.side).toBe(side);
          if (refusal !== undefined) return;
          expect(side).toBe(closingSide(position));
          for (const limit of [Big(position).abs(), Big(largestQty), Big(of.maxQty)])
            expect(Big(quantity).lte(limit)).toBe(true);
          expect(Big(quantity).gte(of.minQty)).toBe(true);
          expect(Big(quantity).mod(of.stepSize).eq(0)).toBe(true);
        },
      ),
    );
  });

  it("the orders of an exit close all but what no order can close", () => {
    fc.assert(
      fc.property(positions, rules, (position, of) => {
        const exit = exitSteps(position, of);
        const sum = exit.steps.reduce((total, quantity) => total.plus(quantity), Big(exit.rest));
        expect(sum.eq(Big(position).abs())).toBe(true);
        const isSmall = Big(exit.rest).lt(Big(of.minQty).plus(of.stepSize));
        expect(isSmall || exit.steps.length === 100).toBe(true);
      }),
    );
  });
});
