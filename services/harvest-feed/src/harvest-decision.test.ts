import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  harvestAction,
  KILL_CLOSE,
  killScore,
  killTerms,
  netR,
  reasonCodes,
  type KillTerms,
} from "./harvest-decision.ts";

const share = fc.double({ min: 0, max: 1, noNaN: true });
const terms: fc.Arbitrary<KillTerms> = fc.record({
  regimeFlip: share,
  sigmaSpike: share,
  tsDrop: share,
  agePenalty: share,
});
const r = fc.double({ min: -20, max: 20, noNaN: true });

describe("the kill score", () => {
  it("is the publisher's for rows of its data", () => {
    const quiet = {
      regimeFlip: 0,
      sigmaSpike: 0.13983999999999996,
      tsDrop: 0.054561,
      agePenalty: 3_600 / 86_400,
    };
    expect(killScore(quiet)).toBeCloseTo(0.5273976547718264, 12);
    const flipped = { regimeFlip: 1, sigmaSpike: 0, tsDrop: 0.20759499999999997, agePenalty: 3_600 / 86_400 };
    expect(killScore(flipped)).toBeCloseTo(0.7533012950554003, 12);
    // This row's terms were rounded when recorded, or recorded slightly after its score.
    const recorded = { regimeFlip: 1, sigmaSpike: 0.1084, tsDrop: 0.1789, agePenalty: 3_600 / 86_400 };
    expect(killScore(recorded)).toBeCloseTo(0.758285465877316, 2);
  });

  it("lies between 0.5 and 1 and never falls when a term rises", () => {
    fc.assert(
      fc.property(
        terms,
        fc.constantFrom("regimeFlip", "sigmaSpike", "tsDrop", "agePenalty"),
        share,
        (at, term, by) => {
          const score = killScore(at);
          expect(score).toBeGreaterThanOrEqual(0.5);
          expect(score).toBeLessThan(1);
          expect(killScore({ ...at, [term]: at[term] + by })).toBeGreaterThanOrEqual(score);
        },
      ),
    );
  });

  it("measures its terms as the publisher does", () => {
    const measured = killTerms({
      regimeFlipped: false,
      sigma: 0.0113984,
      trendStrength: 0.245439,
      ageSec: 3_600,
    });
    expect(measured.regimeFlip).toBe(0);
    expect(measured.sigmaSpike).toBeCloseTo(0.13984, 12);
    expect(measured.tsDrop).toBeCloseTo(0.054561, 12);
    expect(measured.agePenalty).toBeCloseTo(0.041666666666666664, 12);
  });
});

describe("the action", () => {
  it("follows the tranches and the kill score", () => {
    const quiet = 0.55;
    expect([-3, 1.99, 2, 3.99, 4, 5.99, 6, 30].map((rNet) => harvestAction(rNet, quiet))).toEqual([
      "NONE",
      "NONE",
      "PARTIAL_25",
      "PARTIAL_25",
      "PARTIAL_50",
      "PARTIAL_50",
      "PARTIAL_75",
      "PARTIAL_75",
    ]);
    expect(harvestAction(-3, KILL_CLOSE)).toBe("FULL_CLOSE_PROPOSED");
  });

  it("never closes less when the profit or the score is higher", () => {
    const order = ["NONE", "PARTIAL_25", "PARTIAL_50", "PARTIAL_75", "FULL_CLOSE_PROPOSED"];
    const amount = (rNet: number, score: number) => order.indexOf(harvestAction(rNet, score));
    fc.assert(
      fc.property(r, share, share, share, (rNet, moreR, score, more) => {
        expect(amount(rNet + moreR, score + more)).toBeGreaterThanOrEqual(amount(rNet, score));
      }),
    );
  });

  it("gives the reasons in the publisher's words", () => {
    const none = { regimeFlip: 0, sigmaSpike: 0, tsDrop: 0, agePenalty: 0 };
    expect(reasonCodes(7, 0.5, none)).toBe("harvest_partial_75,profit_lock");
    expect(reasonCodes(7, 0.76, { ...none, regimeFlip: 1, tsDrop: 0.1789 })).toBe(
      "harvest_partial_75,profit_lock,kill_score_triggered,regime_flip",
    );
    expect(reasonCodes(9.8, 0.75, { ...none, regimeFlip: 1, tsDrop: 0.2076 })).toBe(
      "harvest_partial_75,profit_lock,kill_score_triggered,regime_flip,ts_drop",
    );
  });
});

const RECORDED = join(import.meta.dirname, "../../../../shared/data/harvest-proposals.jsonl");

describe.skipIf(!existsSync(RECORDED))("the recorded proposals", () => {
  type Row = Readonly<Record<string, string>>;
  const rows = existsSync(RECORDED)
    ? readFileSync(RECORDED, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Row)
    : [];
  const number = (row: Row, name: string) => Number(row[name]);
  const off = (differs: (row: Row) => boolean) => rows.filter(differs).map((row) => row["expected_plan_id"]);
  const TOLERANCE = 1e-9;

  it("have this decision's score, but for two of production whose terms are rounded or made up", () => {
    const differs = (row: Row) => {
      const score = killScore({
        regimeFlip: number(row, "k_regime_flip"),
        sigmaSpike: number(row, "k_sigma_spike"),
        tsDrop: number(row, "k_ts_drop"),
        agePenalty: number(row, "k_age_penalty"),
      });
      return Math.abs(score - number(row, "kill_score")) > TOLERANCE;
    };
    expect(off(differs)).toEqual(["5ccb55e0c09e77cb", "9bd25f98737ceb17"]);
  });

  it("have this decision's action", () => {
    expect(
      off((row) => harvestAction(number(row, "R_net"), number(row, "kill_score")) !== row["harvest_action"]),
    ).toEqual([]);
  });

  it("have this decision's net profit, but for those of production, which count the cost in other ways", () => {
    const differs = (row: Row) => {
      const profit = number(row, "position_unrealized_pnl");
      const rNet = netR(profit, number(row, "risk_unit"), number(row, "cost_est"));
      return Math.abs(rNet - number(row, "R_net")) > TOLERANCE * Math.max(1, Math.abs(rNet));
    };
    const production = rows.filter(({ origin }) => origin === "production");
    expect(off(differs)).toEqual(production.map((row) => row["expected_plan_id"]));
  });
});
