import { dumpPythonJson, PythonFloat } from "@quantum/contract";
import type { Answer } from "@quantum/permits";
import { Big } from "big.js";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decide, type Plan, type Rules } from "./decide.ts";

const NOW_MS = 1_769_301_008_977;
const RULES: Rules = {
  killScoreCritical: 0.8,
  executionsPerHour: 3,
  executionsPer5Min: 2,
  notionalPerDay: 500_000_000_000n,
  qtyPerDay: 2_000_000n,
};

const closing = (pct: number | "none" = 75, killScore = 0.5): Plan => ({
  action: "PARTIAL_75",
  kill_score: killScore,
  steps: [
    {
      step: "CLOSE_PARTIAL_75",
      type: "market_reduce_only",
      side: "close",
      ...(pct === "none" ? {} : { pct }),
    },
  ],
});
const snapshotOf = (position_amt: string, mark_price: string, ts_epoch = String(NOW_MS / 1000)) => ({
  position_amt,
  mark_price,
  ts_epoch,
  side: "LONG",
});
const SNAPSHOT = snapshotOf("0.002", "105000");

const reasonOf = (answer: Answer) => (answer.verdict === "denied" ? answer.reason : answer.verdict);
const permitOf = (answer: Answer): string =>
  answer.verdict === "granted" ? dumpPythonJson(answer.permit) : answer.reason;
const amountsOf = (answer: Answer) =>
  answer.verdict === "granted" ? answer.reservation?.amounts : undefined;

/** Decimals in the form that exchanges write. */
const decimalText = (maxWhole: number) =>
  fc
    .record({
      whole: fc.integer({ min: 0, max: maxWhole }),
      fraction: fc.integer({ min: 1, max: 99_999_999 }),
    })
    .map(({ whole, fraction }) => `${whole}.${String(fraction).padStart(8, "0")}`);

describe("a plan that may be permitted", () => {
  it("names exact quantity and notional, in Python's forms, and every limit", () => {
    const answer = decide(closing(), SNAPSHOT, NOW_MS, RULES);
    expect(permitOf(answer)).toBe(
      '{"decision": "EXECUTE", "computed_qty": 0.0015, "computed_notional": 157.5, "consumed": false}',
    );
    expect(answer).toMatchObject({
      reservation: {
        amounts: { qty: 150_000n, notional: 15_750_000_000n },
        limits: [
          { kind: "count", reason: "hourly_limit_exceeded", window_ms: 3_600_000, max: 3 },
          { kind: "count", reason: "burst_limit_exceeded", window_ms: 300_000, max: 2 },
          { kind: "day", reason: "daily_limit_exceeded", amount: "notional", max: 500_000_000_000n },
        ],
      },
    });
  });

  it("reserves at least the exact product, by less than 1e-8, and permits exactly it", () => {
    fc.assert(
      fc.property(
        decimalText(1_000),
        decimalText(50_000),
        fc.integer({ min: 1, max: 100 }),
        fc.boolean(),
        (amt, price, pct, short) => {
          const answer = decide(closing(pct), snapshotOf(short ? `-${amt}` : amt, price), NOW_MS, RULES);
          const qty = Big(amt).times(pct).div(100);
          const exact = { qty, notional: qty.times(price) };
          const permit = permitOf(answer);
          for (const name of ["qty", "notional"] as const) {
            const reserved = Big(String(amountsOf(answer)?.[name] ?? -1)).div("1e8");
            expect(reserved.gte(exact[name])).toBe(true);
            expect(reserved.minus("0.00000001").lt(exact[name])).toBe(true);
            const [, written = "-1"] = new RegExp(`"computed_${name}": ([^,]+)`).exec(permit) ?? [];
            expect(Big(written).eq(exact[name])).toBe(true);
          }
        },
      ),
    );
  });

  it("closes all of the position if its steps do not say how much", () => {
    expect(amountsOf(decide(closing("none"), SNAPSHOT, NOW_MS, RULES))?.["qty"]).toBe(200_000n);
  });

  it("counts and reserves nothing if no step closes: no order comes of it", () => {
    for (const steps of [[], [{ step: "UPDATE_SL" }]]) {
      const answer = decide({ action: "UPDATE_SL", kill_score: 0.5, steps }, SNAPSHOT, NOW_MS, RULES);
      expect(answer).toMatchObject({
        verdict: "granted",
        permit: { computed_qty: new PythonFloat("0.002") },
      });
      expect(answer).not.toHaveProperty("reservation");
    }
  });

  it.each(["0", "0.0", "nan", "-1", ""])("is limited in coins only where the price is %o", (price) => {
    const answer = decide(closing(), snapshotOf("0.002", price), NOW_MS, RULES);
    expect(permitOf(answer)).toBe(
      '{"decision": "EXECUTE", "computed_qty": 0.0015, "computed_notional": 0.0, "consumed": false}',
    );
    expect(answer).toMatchObject({ reservation: { amounts: { qty: 150_000n } } });
    const days = answer.verdict === "granted" ? answer.reservation?.limits.slice(2) : [];
    expect(days).toEqual([{ kind: "day", reason: "daily_limit_exceeded", amount: "qty", max: 2_000_000n }]);
  });

  it("never counts more than the position, however many steps", () => {
    const steps = [...closing().steps, ...closing().steps];
    expect(amountsOf(decide({ ...closing(), steps }, SNAPSHOT, NOW_MS, RULES))?.["qty"]).toBe(200_000n);
  });
});

describe("the kill score", () => {
  const anyAction = fc.constantFrom(
    "PARTIAL_25",
    "PARTIAL_75",
    "FULL_CLOSE_PROPOSED",
    "UPDATE_SL",
    "HOLD",
    "OPEN",
  );

  it("blocks from the critical value on exactly the plans that do not close", () => {
    fc.assert(
      fc.property(
        anyAction,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.boolean(),
        (action, score, hasStep) => {
          const plan = {
            ...closing(75, score),
            action,
            ...(hasStep ? {} : { steps: [{ step: "UPDATE_SL" }] }),
          };
          const closes = hasStep && /PARTIAL|FULL/.test(action);
          const blocked = reasonOf(decide(plan, SNAPSHOT, NOW_MS, RULES)) === "kill_score_critical_non_close";
          expect(blocked).toBe(score >= RULES.killScoreCritical && !closes);
        },
      ),
    );
  });

  it.each([Number.NaN, -0.1, 1.1, Infinity])("of %d permits nothing, not even a close", (score) => {
    expect(reasonOf(decide(closing(75, score), SNAPSHOT, NOW_MS, RULES))).toBe("evaluation_error");
  });
});

describe("the snapshot", () => {
  it.each([
    ["unreadable", undefined],
    ["missing", {}],
    ["with text for an amount", snapshotOf("nan", "105000")],
    ["without a time", snapshotOf("0.002", "105000", "")],
    ["too old", snapshotOf("0.002", "105000", String(NOW_MS / 1000 - 30.5))],
    ["in the future", snapshotOf("0.002", "105000", String(NOW_MS / 1000 + 30.5))],
    ["without a position", snapshotOf("0.000", "105000")],
  ])("%s is position_fetch_failed", (_, snapshot) => {
    expect(reasonOf(decide(closing(), snapshot, NOW_MS, RULES))).toBe("position_fetch_failed");
  });

  it("may write numbers as Python does", () => {
    expect(amountsOf(decide(closing(100), snapshotOf("2e-05", "1.05e+05"), NOW_MS, RULES))).toEqual({
      qty: 2_000n,
      notional: 210_000_000n,
    });
  });
});

describe("amounts", () => {
  it("have no largest value, and are permitted and reserved to the last digit", () => {
    const answer = decide(closing(100), snapshotOf("123456789012345678.12345678", "0.00005"), NOW_MS, RULES);
    expect(amountsOf(answer)).toEqual({ qty: 12345678901234567812345678n, notional: 617283945061728390618n });
    expect(permitOf(answer)).toContain('"computed_qty": 123456789012345678.12345678, ');
  });

  it.each(["1e400", "-1e400", "1e999999999", "1e-999999999"])(
    "that no float could hold, as %s, are unreadable",
    (amt) => {
      expect(reasonOf(decide(closing(100), snapshotOf(amt, "1"), NOW_MS, RULES))).toBe(
        "position_fetch_failed",
      );
    },
  );

  it("are refused at 0, which a permit would turn into no cap", () => {
    expect(reasonOf(decide(closing(0), SNAPSHOT, NOW_MS, RULES))).toBe("limit_computation_error");
  });
});
