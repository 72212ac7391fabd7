import type { Proposal } from "@quantum/contract";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseProposal } from "@quantum/contract";
import { CLOSES, decide, type Gates, proposedAtMs } from "./decide.ts";

const NOW_MS = Date.parse("2026-01-25T00:30:10Z");
const GATES: Gates = {
  allowlist: new Set(["BTCUSDT"]),
  killScoreCritical: 0.8,
  killScoreWarning: 0.6,
  criticalBlocksCloses: false,
  proposalMaxAgeSec: 300,
  refuseSimulated: false,
};

function proposal(fields: Record<string, string> = {}): Proposal {
  const { symbol = "BTCUSDT", ...others } = fields;
  const defaults = {
    harvest_action: "PARTIAL_75",
    kill_score: "0.5",
    last_update_epoch: String(NOW_MS / 1000),
  };
  const parsed = parseProposal(symbol, { ...defaults, ...others });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  return parsed.proposal;
}

function verdict(fields: Record<string, string>, gates: Partial<Gates> = {}): string {
  const { decision, reason } = decide(proposal(fields), { ...GATES, ...gates });
  return reason === "" ? decision : `${decision} ${reason}`;
}

describe("decide", () => {
  it.each([
    ["FULL_CLOSE_PROPOSED", "CLOSE_FULL", 100],
    ["PARTIAL_75", "CLOSE_PARTIAL_75", 75],
    ["PARTIAL_50", "CLOSE_PARTIAL_50", 50],
    ["PARTIAL_25", "CLOSE_PARTIAL_25", 25],
  ])("executes %s as %s of %d %%", (harvest_action, step, pct) => {
    const decided = decide(proposal({ harvest_action }), GATES);
    expect(decided).toMatchObject({ decision: "EXECUTE", reason: "", close: { step, pct } });
  });

  it.each([
    [{ symbol: "ETHUSDT" }, "SKIP not_in_allowlist"],
    [{ harvest_action: "HOLD" }, "SKIP action_hold"],
    [{ harvest_action: "NONE" }, "SKIP action_none"],
    [{ harvest_action: "UPDATE_SL" }, "SKIP update_sl_not_supported"],
    [{ harvest_action: "PARTIAL_80" }, "ERROR unknown_action_PARTIAL_80"],
    [{ harvest_action: "partial_75" }, "ERROR unknown_action_partial_75"],
    [{ harvest_action: "FLIP,\u001b[2J né" }, "ERROR unknown_action_FLIP___2J_n_"],
    [{ harvest_action: "A".repeat(33) }, `ERROR unknown_action_${"A".repeat(32)}`],
    [{ kill_score: "nan" }, "ERROR kill_score_invalid"],
    [{ kill_score: "inf" }, "ERROR kill_score_invalid"],
    [{ kill_score: "-0.000001" }, "ERROR kill_score_invalid"],
    [{ kill_score: "1.000001" }, "ERROR kill_score_invalid"],
    [{ kill_score: "0" }, "EXECUTE"],
    [{ kill_score: "0.5999" }, "EXECUTE"],
    [{ kill_score: "0.6" }, "EXECUTE kill_score_warning_close_ok"],
    [{ kill_score: "1" }, "EXECUTE kill_score_warning_close_ok"],
    [{ kill_score: "0.6", harvest_action: "UPDATE_SL" }, "BLOCKED kill_score_warning_risk_increase"],
    [{ kill_score: "0.6", harvest_action: "FLIP" }, "BLOCKED kill_score_warning_risk_increase"],
    [{ kill_score: "0.7", harvest_action: "HOLD" }, "SKIP action_hold"],
    [{ kill_score: "0.8", harvest_action: "HOLD" }, "BLOCKED kill_score_critical"],
    [{ kill_score: "0.8", harvest_action: "UPDATE_SL" }, "BLOCKED kill_score_critical"],
  ])("%j: %s", (fields, expected) => {
    expect(verdict(fields)).toBe(expected);
  });

  it("lets the critical score forbid closes only when it is told to", () => {
    expect(verdict({ kill_score: "0.8" }, { criticalBlocksCloses: true })).toBe(
      "BLOCKED kill_score_critical",
    );
    expect(verdict({ kill_score: "0.79" }, { criticalBlocksCloses: true })).toMatch(/^EXECUTE/);
  });

  it.each([
    ["last_update_epoch", { last_update_epoch: "" }],
    ["a finite last_update_epoch", { last_update_epoch: "inf", computed_at_utc: "2026-01-25 00:30" }],
  ])("is stale without %s and computed_at_utc", (_, fields) => {
    expect(verdict(fields)).toBe("SKIP proposal_stale");
  });

  it("leaves to the script, which knows the time, how old a proposal may be", () => {
    const proposedMs = NOW_MS - 3_600_000;
    const fields = { last_update_epoch: String(proposedMs / 1000) };
    const fresh = { proposedMs, maxAgeMs: 300_000 };
    expect(decide(proposal(fields), GATES)).toMatchObject({ decision: "EXECUTE", fresh });
    const hold = { ...fields, harvest_action: "HOLD" };
    expect(decide(proposal(hold), GATES)).toEqual({ decision: "SKIP", reason: "action_hold", fresh });
    // Earlier gates take precedence over freshness.
    expect(decide(proposal({ ...fields, symbol: "ETHUSDT" }), GATES)).not.toHaveProperty("fresh");
  });

  it("judges no age when that is off", () => {
    const decided = decide(proposal({ last_update_epoch: "" }), { ...GATES, proposalMaxAgeSec: 0 });
    expect(decided).toMatchObject({ decision: "EXECUTE" });
    expect(decided).not.toHaveProperty("fresh");
  });

  it("refuses a simulated proposal where orders would be real", () => {
    const simulated = { source: "harvest-feed (simulated)" };
    expect(verdict(simulated, { refuseSimulated: true })).toBe("BLOCKED simulated_source");
    expect(verdict(simulated)).toBe("EXECUTE");
    expect(verdict({}, { refuseSimulated: true })).toBe("EXECUTE");
  });

  it("names the first gate that refuses", () => {
    const gates = { refuseSimulated: true };
    const fields: Record<string, string> = {
      symbol: "ETHUSDT",
      kill_score: "nan",
      harvest_action: "FLIP",
      source: "simulated",
      last_update_epoch: "",
    };
    const repairs: Record<string, string>[] = [
      { symbol: "BTCUSDT" },
      { kill_score: "0.9" },
      { kill_score: "0.7" },
      { kill_score: "0.5" },
      { source: "" },
      { last_update_epoch: String(NOW_MS / 1000) },
      { harvest_action: "PARTIAL_25" },
    ];
    const reasons = [
      verdict(fields, gates),
      ...repairs.map((repair) => verdict(Object.assign(fields, repair), gates)),
    ];
    expect(reasons).toEqual([
      "SKIP not_in_allowlist",
      "ERROR kill_score_invalid",
      "BLOCKED kill_score_critical",
      "BLOCKED kill_score_warning_risk_increase",
      "BLOCKED simulated_source",
      "SKIP proposal_stale",
      "ERROR unknown_action_FLIP",
      "EXECUTE",
    ]);
  });
});

describe("whatever is proposed", () => {
  const action = fc.oneof(
    fc.constantFrom(...CLOSES.keys(), "HOLD", "NONE", "UPDATE_SL"),
    fc.constantFrom("constructor", "__proto__", "toString", "hasOwnProperty", "valueOf"),
    fc.string({ minLength: 1 }),
  );
  const anyProposal = fc.record({
    symbol: fc.constantFrom("BTCUSDT", "ETHUSDT"),
    harvestAction: action,
    killScore: fc.oneof(fc.double(), fc.double({ min: 0, max: 1 })),
    lastUpdateEpochSec: fc.option(fc.double({ noNaN: true }), { nil: undefined }),
    computedAtMs: fc.option(fc.integer({ min: NOW_MS - 400_000, max: NOW_MS + 10_000 }), { nil: undefined }),
    source: fc.option(fc.constantFrom("live", "simulated"), { nil: undefined }),
  });
  const anyGates = fc.record({
    killScoreCritical: fc.double({ min: 0, max: 1, noNaN: true }),
    killScoreWarning: fc.double({ min: 0, max: 1, noNaN: true }),
    criticalBlocksCloses: fc.boolean(),
    proposalMaxAgeSec: fc.constantFrom(0, 300),
    refuseSimulated: fc.boolean(),
  });
  const check = (property: (proposal: Proposal, gates: Gates) => void) =>
    fc.assert(
      fc.property(anyProposal, anyGates, (some, gates) =>
        property({ ...proposal(), ...some }, { ...GATES, ...gates }),
      ),
    );

  it("executes only known closes of allowed symbols with a kill score from 0 to 1", () => {
    check((some, gates) => {
      const decided = decide(some, gates);
      const mayExecute =
        CLOSES.has(some.harvestAction) &&
        some.symbol === "BTCUSDT" &&
        some.killScore >= 0 &&
        some.killScore <= 1;
      expect(decided.decision === "EXECUTE" && !mayExecute).toBe(false);
      expect(decided.close !== undefined).toBe(decided.decision === "EXECUTE");
      expect(decided.decision !== "EXECUTE" && decided.reason === "").toBe(false);
    });
  });

  it("never lets a kill score from 0 to 1 block a close, unless it is told to", () => {
    check((some, gates) => {
      const close = { ...some, harvestAction: "PARTIAL_50", killScore: Math.abs(some.killScore % 1) || 0 };
      const { reason } = decide(close, { ...gates, criticalBlocksCloses: false });
      expect(reason).not.toMatch(/^kill_score_(critical|warning_risk)/);
    });
  });

  it("decides the same by a higher score or refuses: a score never opens a gate", () => {
    check((some, gates) => {
      const low = decide({ ...some, killScore: 0 }, gates).decision;
      const high = decide({ ...some, killScore: 1 }, gates).decision;
      expect(high === "EXECUTE" && low !== "EXECUTE").toBe(false);
    });
  });
});

describe("when a proposal was made", () => {
  it.each([
    [
      "to the millisecond where both times are of one second",
      1_769_301_008,
      1_769_301_008_977,
      1_769_301_008_977,
    ],
    ["by its update where it was computed before", 1_769_301_008, 1_769_301_001_500, 1_769_301_008_000],
    ["by its computation where it has no update", undefined, 1_769_301_001_500, 1_769_301_001_500],
  ])("is told %s", (_, lastUpdateEpochSec, computedAtMs, expected) => {
    expect(proposedAtMs({ lastUpdateEpochSec, computedAtMs } as Proposal)).toBe(expected);
  });
});
