import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Holding, stressOf } from "./stress.ts";

const REF = 0.05;
const holding = fc.record<Holding>({
  notional: fc.double({ min: -1e9, max: 1e9, noNaN: true }),
  sigma: fc.double({ min: 1e-6, max: 1, noNaN: true }),
});
const holdings = fc.array(holding, { maxLength: 12 });

describe("the stress of a portfolio", () => {
  it.each<[string, Holding[], object]>([
    ["is 0 where nothing is held", [], { stress: 0, heat: 0, concentration: 0, correlation: 0 }],
    [
      "is 0.70 where all is long on a usual day",
      [{ notional: 100, sigma: 0.01 }],
      { heat: 0.5, concentration: 1, correlation: 1, stress: 0.7 },
    ],
    [
      "has no side where long and short are equal",
      [
        { notional: 100, sigma: 0.01 },
        { notional: -100, sigma: 0.01 },
      ],
      { heat: 0.5, concentration: 0, correlation: 0, stress: 0.3 },
    ],
    [
      "has no side where only rounding is left of long and short",
      [
        { notional: 1e9, sigma: 0.01 },
        { notional: -1e9, sigma: 0.01 },
        { notional: -5e-324, sigma: 0.01 },
      ],
      { concentration: 0, correlation: 0 },
    ],
    [
      "weighs volatility by notional, whichever side it is on",
      [
        { notional: 300, sigma: 0.01 },
        { notional: -100, sigma: 0.03 },
      ],
      // 0.75 × 0.01 + 0.25 × 0.03 = 0.015: 0.3 of the reference.
      {
        heat: 0.25 / 0.3,
        concentration: 0.5,
        correlation: 0.75,
        stress: 0.6 * (0.25 / 0.3) + 0.125 + 0.1125,
      },
    ],
    [
      "is no hotter than 1",
      [{ notional: -5, sigma: 0.02 }],
      { heat: 1, concentration: 1, correlation: 1, stress: 1 },
    ],
    ["is no colder than 0", [{ notional: 5, sigma: 0.002 }], { heat: 0, stress: 0.4 }],
  ])("%s", (_, held, expected) => {
    const close = Object.fromEntries(
      Object.entries(expected).map(([name, value]) => [name, expect.closeTo(value as number, 12)]),
    );
    expect(stressOf(held, REF)).toMatchObject(close);
  });

  it("lies between 0 and 1 with all its parts, for any portfolio", () => {
    fc.assert(
      fc.property(holdings, (held) => {
        for (const part of Object.values(stressOf(held, REF) as unknown as Record<string, number>)) {
          expect(part).toBeGreaterThanOrEqual(0);
          expect(part).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  it("does not depend on the order, nor on which side is called long", () => {
    fc.assert(
      fc.property(holdings, (held) => {
        const { stress } = stressOf(held, REF);
        expect(stressOf(held.toReversed(), REF).stress).toBeCloseTo(stress, 6);
        const turned = held.map(({ notional, sigma }) => ({ notional: -notional, sigma }));
        expect(stressOf(turned, REF).stress).toBeCloseTo(stress, 6);
      }),
    );
  });

  it("never falls when a symbol becomes more volatile", () => {
    fc.assert(
      fc.property(
        fc.array(holding, { minLength: 1, maxLength: 6 }),
        fc.double({ min: 1, max: 10, noNaN: true }),
        (held, by) => {
          const [first = { notional: 0, sigma: 1 }, ...others] = held;
          const wilder = [{ ...first, sigma: first.sigma * by }, ...others];
          expect(stressOf(wilder, REF).stress).toBeGreaterThanOrEqual(stressOf(held, REF).stress - 1e-12);
        },
      ),
    );
  });
});
