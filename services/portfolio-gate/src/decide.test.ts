import { Big } from "big.js";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decide, type Facts, type Judgement, type Rules } from "./decide.ts";
import { isUnknown, type Portfolio, type Unknown } from "./portfolio.ts";

const SYMBOL = "BTCUSDT";
const RULES: Rules = {
  allowlist: new Set([SYMBOL]),
  coldBelow: 0.55,
  riskOffFrom: 0.8,
  hardKillScore: 0.85,
};
/** Neither cold nor under high stress. */
const WARM = 0.6;
const COLD = 0.3;
const HOT = 0.8;

const portfolioOf = (stress: number, position = "0.062"): Portfolio => ({
  stress,
  heat: stress,
  concentration: stress,
  correlation: stress,
  grossNotional: 1,
  positions: new Map([[SYMBOL, Big(position)]]),
});
const UNKNOWN: Unknown = { flaw: "snapshot_stale", symbol: "ETHUSDT", what: "snapshot is 31000 ms old" };
const facts = (changed: Partial<Facts> = {}): Facts => ({
  symbol: SYMBOL,
  killScore: 0.7,
  pct: 100,
  portfolio: portfolioOf(WARM),
  isCooling: false,
  ...changed,
});
/** What remains of a plan, in percent of the position. */
const leftOf = (judgement: Judgement, pct: number): number => {
  if (judgement.verdict === "denied") return 0;
  return judgement.verdict === "capped" ? judgement.pct : pct;
};
const left = (changed: Partial<Facts>) => {
  const given = facts(changed);
  const judgement = decide(given, RULES);
  return [leftOf(judgement, given.pct), judgement.reason];
};

describe("a plan", () => {
  it("passes whole where nothing caps it", () => {
    for (const pct of [25, 50, 75, 100]) expect(left({ pct })).toEqual([pct, "portfolio_no_cap"]);
  });

  it("is denied while the portfolio is not known, with what is wrong, whatever else holds", () => {
    for (const pct of [0, 25, 100])
      expect(decide(facts({ pct, portfolio: UNKNOWN, isCooling: true }), RULES)).toEqual({
        verdict: "denied",
        reason: "portfolio_state_unknown",
        context: UNKNOWN,
      });
  });

  it("is denied for a symbol that is not of the portfolio, before anything else", () => {
    expect(left({ symbol: "DOGEUSDT", portfolio: UNKNOWN })).toEqual([0, "not_in_allowlist"]);
  });

  it("is denied where there is no position: a cap of 0 would be read as none", () => {
    expect(left({ portfolio: portfolioOf(COLD, "0") })).toEqual([0, "no_position"]);
  });

  it("passes where it closes nothing", () => {
    expect(left({ pct: 0, portfolio: portfolioOf(COLD), isCooling: true })).toEqual([0, "portfolio_no_cap"]);
  });
});

describe("a cooldown", () => {
  it.each([
    [100, 75],
    [75, 50],
    [50, 25],
    [60, 50],
    [99.5, 75],
  ])("makes a close of %d % one of %d %", (pct, smaller) => {
    expect(left({ pct, isCooling: true })).toEqual([smaller, "portfolio_cap_cooldown"]);
  });

  it.each([25, 10])("denies a close of %d %", (pct) => {
    expect(left({ pct, isCooling: true })).toEqual([0, "portfolio_cooldown"]);
  });
});

describe("a cold portfolio", () => {
  it("caps a full close to half, and from a hard kill score on to three quarters", () => {
    const portfolio = portfolioOf(COLD);
    expect(left({ portfolio })).toEqual([50, "portfolio_cap_cold"]);
    expect(left({ portfolio, killScore: 0.849 })).toEqual([50, "portfolio_cap_cold"]);
    expect(left({ portfolio, killScore: 0.85 })).toEqual([75, "portfolio_cap_cold"]);
    expect(left({ portfolio, killScore: Number.NaN })).toEqual([50, "portfolio_cap_cold"]);
  });

  it("ends at its bound", () => {
    expect(left({ portfolio: portfolioOf(0.55) })).toEqual([100, "portfolio_no_cap"]);
    expect(left({ portfolio: portfolioOf(0.549) })).toEqual([50, "portfolio_cap_cold"]);
  });

  it("leaves partial closes alone", () => {
    for (const pct of [25, 50, 75])
      expect(left({ pct, portfolio: portfolioOf(COLD) })).toEqual([pct, "portfolio_no_cap"]);
  });

  it("does not let more through in a cooldown than without", () => {
    expect(left({ portfolio: portfolioOf(COLD), isCooling: true })).toEqual([50, "portfolio_cap_cold"]);
    expect(left({ portfolio: portfolioOf(COLD), isCooling: true, killScore: 0.9 })).toEqual([
      75,
      "portfolio_cap_cooldown",
    ]);
  });
});

describe("high stress", () => {
  it("lifts what a cooldown takes away, the denial of its smallest step included", () => {
    const portfolio = portfolioOf(HOT);
    expect(left({ portfolio, isCooling: true })).toEqual([100, "portfolio_risk_off"]);
    expect(left({ portfolio, isCooling: true, pct: 25 })).toEqual([25, "portfolio_risk_off"]);
    expect(left({ portfolio })).toEqual([100, "portfolio_no_cap"]);
    expect(left({ portfolio: portfolioOf(0.799), isCooling: true })).toEqual([75, "portfolio_cap_cooldown"]);
  });
});

describe("for any plan and portfolio", () => {
  const position = fc
    .tuple(fc.boolean(), fc.integer({ min: 0, max: 1e6 }), fc.integer({ min: 1, max: 99_999_999 }))
    .map(([isShort, whole, part]) => `${isShort ? "-" : ""}${whole}.${String(part).padStart(8, "0")}`);
  const portfolio = fc.oneof(
    { weight: 5, arbitrary: fc.record({ stress: fc.double({ min: 0, max: 1, noNaN: true }), position }) },
    { weight: 1, arbitrary: fc.constant(undefined) },
  );
  const any = fc
    .record({
      killScore: fc.double({ min: 0, max: 1 }),
      pct: fc.oneof(fc.constantFrom(0, 25, 50, 75, 100), fc.double({ min: 0, max: 100, noNaN: true })),
      portfolio,
      isCooling: fc.boolean(),
    })
    .map(({ portfolio: held, ...other }): Facts => {
      return { ...facts(other), portfolio: held ? portfolioOf(held.stress, held.position) : UNKNOWN };
    });

  it("never permits more than the plan closes, and a cap is exactly its share, below the position", () => {
    fc.assert(
      fc.property(any, (given) => {
        const judgement = decide(given, RULES);
        expect(leftOf(judgement, given.pct)).toBeLessThanOrEqual(given.pct);
        if (judgement.verdict !== "capped" || isUnknown(given.portfolio)) return;
        const size = Big(given.portfolio.positions.get(SYMBOL) ?? 0).abs();
        expect(judgement.pct).toBeLessThan(given.pct);
        expect(Big(judgement.qty).gt(0)).toBe(true);
        expect(Big(judgement.qty).lt(size)).toBe(true);
        expect(Big(judgement.qty).times(100).eq(size.times(judgement.pct))).toBe(true);
      }),
    );
  });

  it("permits no more in a cooldown than without", () => {
    fc.assert(
      fc.property(any, (given) => {
        const cooling = decide({ ...given, isCooling: true }, RULES);
        const warm = decide({ ...given, isCooling: false }, RULES);
        expect(leftOf(cooling, given.pct)).toBeLessThanOrEqual(leftOf(warm, given.pct));
      }),
    );
  });

  it("permits no less of a larger close than of a smaller one, unless the larger is a full one", () => {
    fc.assert(
      fc.property(any, fc.double({ min: 0, max: 99.9, noNaN: true }), (given, other) => {
        const [smaller = 0, larger = 0] = [Math.min(given.pct, 99.9), other].toSorted((a, b) => a - b);
        const of = (pct: number) => leftOf(decide({ ...given, pct }, RULES), pct);
        expect(of(larger)).toBeGreaterThanOrEqual(of(smaller));
      }),
    );
  });

  it("is capped by nothing under high stress, and denied only where nothing can be judged", () => {
    fc.assert(
      fc.property(any, (given) => {
        if (isUnknown(given.portfolio)) return;
        const hot = { ...given, portfolio: { ...given.portfolio, stress: HOT } };
        expect(decide(hot, RULES).verdict).toBe("whole");
      }),
    );
  });
});
