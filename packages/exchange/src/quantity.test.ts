import { Big } from "big.js";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SymbolRules } from "./port.ts";
import { belowMinimum, clientOrderId, closeQuantity, floorToStep, isDust } from "./quantity.ts";

const BTC: SymbolRules = {
  symbol: "BTCUSDT",
  status: "TRADING",
  stepSize: "0.001",
  minQty: "0.001",
  maxQty: "120",
  minNotional: "100",
  tickSize: "0.10",
};

/** A plain decimal with up to 12 digits before and 10 after the point. */
const decimal = fc
  .tuple(fc.bigInt({ min: 0n, max: 10n ** 22n }), fc.integer({ min: 0, max: 10 }))
  .map(([digits, scale]) => Big(digits.toString()).times(Big(10).pow(-scale)).toFixed());
const step = fc.oneof(
  fc.integer({ min: -10, max: 4 }).map((power) => Big(10).pow(power).toFixed()),
  fc.constantFrom("0.25", "0.3", "7", "0.0000007"),
);

describe("floorToStep", () => {
  it("never rounds up, and stays a plain multiple of the step within one step of the input", () => {
    fc.assert(
      fc.property(decimal, step, (quantity, stepSize) => {
        const floored = floorToStep(quantity, stepSize);
        expect(floored).toMatch(/^\d+(\.\d+)?$/);
        expect(Big(floored).lte(quantity)).toBe(true);
        expect(Big(quantity).minus(floored).lt(stepSize)).toBe(true);
        expect(Big(floored).mod(stepSize).eq(0)).toBe(true);
      }),
    );
  });

  it("is not fooled by a quotient that rounds to the next whole number", () => {
    expect(floorToStep("0.299999999999999999999999999", "0.1")).toBe("0.2");
  });

  it("writes small amounts without an exponent", () => {
    expect(floorToStep("0.00000012", "0.00000001")).toBe("0.00000012");
  });
});

describe("closeQuantity", () => {
  it.each([
    [75, "0.002", "0.001"],
    [25, "-0.011", "0.002"],
    [100, "-0.011", "0.011"],
    [50, "0.001", "0"],
    [100, "500", "120"],
  ])("closes %d %% of %s with %s", (pct, positionAmt, quantity) => {
    expect(closeQuantity(pct, positionAmt, BTC)).toBe(quantity);
  });

  it("is at most the share asked for, whichever side the position is on", () => {
    fc.assert(
      fc.property(decimal, fc.integer({ min: 1, max: 100 }), step, (amount, pct, stepSize) => {
        const rules = { ...BTC, stepSize, maxQty: "1000000" };
        const quantity = closeQuantity(pct, amount, rules);
        expect(Big(quantity).times(100).lte(Big(amount).times(pct))).toBe(true);
        expect(closeQuantity(pct, Big(amount).times(-1).toFixed(), rules)).toBe(quantity);
      }),
    );
  });

  it.each([0, -1, 100.01, Number.NaN])("refuses %d %%", (pct) => {
    expect(() => closeQuantity(pct, "1", BTC)).toThrow(`pct=${pct}`);
  });
});

describe("belowMinimum", () => {
  it.each([
    ["0", "105000", "below_min_qty"],
    ["0.0009", "105000", "below_min_qty"],
    ["0.001", "99999.9", "below_min_notional"],
    ["0.001", "100000", undefined],
  ])("judges %s at %s as %s", (quantity, price, verdict) => {
    expect(belowMinimum(quantity, price, BTC)).toBe(verdict);
  });
});

describe("a position", () => {
  it.each<[string, boolean, Partial<SymbolRules>]>([
    ["0", false, {}],
    ["0.000", false, {}],
    ["0.0009", true, {}],
    ["-0.0009", true, {}],
    ["0.001", false, {}],
    ["-0.5", false, {}],
    // Two whole steps, of the five that an order needs.
    ["0.0025", true, { minQty: "0.005" }],
    ["0.0055", false, { minQty: "0.005" }],
    // It is above the minimum, which is no multiple of the step.
    ["0.0095", true, { stepSize: "0.01", minQty: "0.009" }],
  ])("of %s is too small for any order: %s %o", (amount, expected, over) => {
    expect(isDust(amount, { ...BTC, ...over })).toBe(expected);
  });
});

describe("clientOrderId", () => {
  it("fits the venue's rule for every plan and attempt, and differs between any two", () => {
    const planId = fc.stringMatching(/^[0-9a-f]{16}$/);
    const attempt = fc.tuple(planId, fc.integer({ min: 1 }));
    fc.assert(
      fc.property(attempt, attempt, (one, other) => {
        expect(clientOrderId(...one)).toMatch(/^[.A-Z:/a-z0-9_-]{1,36}$/);
        expect(clientOrderId(...one) === clientOrderId(...other)).toBe(String(one) === String(other));
      }),
    );
    expect(clientOrderId("67e6da21fa9fe506", 1)).toBe("qp-67e6da21fa9fe506-1");
  });

  it("refuses what is no plan id or attempt number", () => {
    expect(() => clientOrderId("67E6DA21FA9FE506", 1)).toThrow("planId");
    expect(() => clientOrderId("67e6da21fa9fe506", 0)).toThrow("attemptNo=0");
  });
});
