import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseProposal, type Proposal } from "./proposal.ts";

/** As the Python publisher writes it. */
const PUBLISHED = {
  harvest_action: "PARTIAL_75",
  new_sl_proposed: "100.2",
  R_net: "7.013614233516237",
  risk_unit: "0.698641219328",
  cost_est: "0.1",
  kill_score: "0.5273976547718264",
  reason_codes: "harvest_partial_75,profit_lock",
  k_regime_flip: "0.0",
  k_sigma_spike: "0.13983999999999996",
  k_ts_drop: "0.054561",
  k_age_penalty: "0.041666666666666664",
  sigma: "0.0113984",
  ts: "0.245439",
  p_trend: "0.371906",
  p_mr: "0.075824",
  p_chop: "0.55227",
  computed_at_utc: "2026-01-22T23:20:48.373980",
  last_update_epoch: "1769124048",
  position_side: "LONG",
  position_age_sec: "3600.0",
  position_current_price: "105.0",
  position_entry_price: "100.0",
  position_unrealized_pnl: "5.0",
};
const REQUIRED = { harvest_action: "HOLD", kill_score: "0.5" };

describe("parseProposal", () => {
  it("reads every field of a published proposal", () => {
    expect(parsed({ ...PUBLISHED, source: "simulated" })).toEqual({
      symbol: "BTCUSDT",
      harvestAction: "PARTIAL_75",
      killScore: 0.5273976547718264,
      newSlProposed: 100.2,
      rNet: 7.013614233516237,
      riskUnit: 0.698641219328,
      costEst: 0.1,
      reasonCodes: "harvest_partial_75,profit_lock",
      kRegimeFlip: 0,
      kSigmaSpike: 0.13983999999999996,
      kTsDrop: 0.054561,
      kAgePenalty: 0.041666666666666664,
      sigma: 0.0113984,
      trendStrength: 0.245439,
      pTrend: 0.371906,
      pMr: 0.075824,
      pChop: 0.55227,
      computedAtUtc: "2026-01-22T23:20:48.373980",
      computedAtMs: Date.UTC(2026, 0, 22, 23, 20, 48, 373),
      lastUpdateEpochSec: 1769124048,
      positionSide: "LONG",
      positionAgeSec: 3600,
      positionCurrentPrice: 105,
      positionEntryPrice: 100,
      positionUnrealizedPnl: 5,
      source: "simulated",
    });
  });

  it("asks for action and kill score alone, and keeps unknown fields out", () => {
    const { symbol, harvestAction, killScore, computedAtUtc, ...rest } = parsed({
      ...REQUIRED,
      colour: "red",
    });
    expect({ symbol, harvestAction, killScore, computedAtUtc }).toEqual({
      symbol: "BTCUSDT",
      harvestAction: "HOLD",
      killScore: 0.5,
      computedAtUtc: "",
    });
    expect(Object.values(rest).filter((value) => value !== undefined)).toEqual([]);
  });

  it("names every problem at once, with field, value and rule", () => {
    expect(parseProposal("BTCUSDT", { kill_score: "abc", new_sl_proposed: "1__0" })).toEqual({
      ok: false,
      problems: [
        "harvest_action is missing or empty: it is required",
        `kill_score is "abc", not a number as Python's float() reads it`,
        `new_sl_proposed is "1__0", not a number as Python's float() reads it`,
      ],
    });
  });

  it.each([{}, { kill_score: "" }, { kill_score: "None" }])("misses the kill score in %j", (fields) => {
    expect(parseProposal("BTCUSDT", { harvest_action: "HOLD", ...fields })).toEqual({
      ok: false,
      problems: ["kill_score is missing, empty or None: it is required"],
    });
  });

  it.each([
    ["nan", NaN],
    ["inf", Infinity],
    ["-0.1", -0.1],
    ["1_000", 1000],
  ])("keeps kill score %s for the gates to refuse", (kill_score, value) => {
    expect(parsed({ ...REQUIRED, kill_score }).killScore).toBe(value);
  });

  it.each(["", "None"])("reads %j as no stop loss", (new_sl_proposed) => {
    expect(parsed({ ...REQUIRED, new_sl_proposed }).newSlProposed).toBeUndefined();
  });

  it("lets a number that only informs be unreadable", () => {
    const { rNet, sigma, positionAgeSec } = parsed({
      ...REQUIRED,
      R_net: "n/a",
      sigma: "",
      position_age_sec: "None",
    });
    expect([rNet, sigma, positionAgeSec]).toEqual([undefined, undefined, undefined]);
  });

  it.each(["nan", "inf", "-inf", "soon", ""])("takes last_update_epoch %j for none", (last_update_epoch) => {
    expect(parsed({ ...REQUIRED, last_update_epoch }).lastUpdateEpochSec).toBeUndefined();
  });
});

describe("computed_at_utc", () => {
  const computedAtMs = (computed_at_utc: string) => parsed({ ...REQUIRED, computed_at_utc }).computedAtMs;

  it.each([
    ["2026-01-25T00:27:27Z", Date.UTC(2026, 0, 25, 0, 27, 27)],
    ["2026-01-25T00:27:27", Date.UTC(2026, 0, 25, 0, 27, 27)],
    ["2026-01-25T00:27:27.5", Date.UTC(2026, 0, 25, 0, 27, 27, 500)],
    ["2026-01-25T00:27:27.999999Z", Date.UTC(2026, 0, 25, 0, 27, 27, 999)],
    ["2028-02-29T23:59:59.000001", Date.UTC(2028, 1, 29, 23, 59, 59)],
  ])("%s is read as UTC, wherever the process runs", (text, epochMs) => {
    expect(computedAtMs(text)).toBe(epochMs);
  });

  it.each([
    "",
    "None",
    "yesterday",
    "2026-01-25",
    "2026-02-30T00:00:00",
    "2026-01-25T24:00:00",
    "2026-01-25T00:00:60",
    "2026-01-25T00:00:00+01:00",
    " 2026-01-25T00:00:00",
    "1769124048",
  ])("%j is no time, and stays as it was published", (text) => {
    expect(computedAtMs(text)).toBeUndefined();
    expect(parsed({ ...REQUIRED, computed_at_utc: text }).computedAtUtc).toBe(text);
  });

  it("is the millisecond below whatever microsecond Python prints", () => {
    const upToYear9999 = fc.date({
      min: new Date(0),
      max: new Date("9999-12-31T23:59:59.999Z"),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(
        upToYear9999,
        fc.integer({ min: 0, max: 999 }),
        fc.constantFrom("", "Z"),
        (date, micros, zone) => {
          const printed = date.toISOString().replace("Z", `${String(micros).padStart(3, "0")}${zone}`);
          expect(computedAtMs(printed)).toBe(date.getTime());
        },
      ),
    );
  });
});

function parsed(fields: Record<string, string>): Proposal {
  const result = parseProposal("BTCUSDT", fields);
  if (!result.ok) throw new Error(result.problems.join("; "));
  return result.proposal;
}
