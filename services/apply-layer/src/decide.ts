/**
 * The gates a proposal passes before a plan may wait for permits, in order: allowlist, kill score, source, freshness,
 * action. (The kill switch before them, freshness and the duplicates behind them are judged in the script that opens the
 * plan: it knows Redis's time, and this process's clock may be wrong.)
 *
 * The kill-score gates are directional: the score that proposes a close must not forbid it.
 */
import type { Decision, Proposal } from "@quantum/contract";

export interface Gates {
  allowlist: ReadonlySet<string>;
  killScoreCritical: number;
  killScoreWarning: number;
  criticalBlocksCloses: boolean;
  /** 0 = off. */
  proposalMaxAgeSec: number;
  refuseSimulated: boolean;
}

export interface Decided {
  decision: Decision;
  /** `reason_codes` of the entry; for EXECUTE it is empty or a remark. */
  reason: string;
  /** What EXECUTE would do. */
  close?: Close;
  /** Passed all gates up to freshness: if it is older than this when it opens, it is SKIP proposal_stale instead. */
  fresh?: { proposedMs: number; maxAgeMs: number };
}

export interface Close {
  step: string;
  /** Percent of the position. */
  pct: number;
}

// Maps, not objects: "constructor" is no action.
export const CLOSES: ReadonlyMap<string, Close> = new Map([
  ["FULL_CLOSE_PROPOSED", { step: "CLOSE_FULL", pct: 100 }],
  ["PARTIAL_75", { step: "CLOSE_PARTIAL_75", pct: 75 }],
  ["PARTIAL_50", { step: "CLOSE_PARTIAL_50", pct: 50 }],
  ["PARTIAL_25", { step: "CLOSE_PARTIAL_25", pct: 25 }],
]);

const IDLE: ReadonlyMap<string, string> = new Map([
  ["HOLD", "action_hold"],
  ["NONE", "action_none"],
  ["UPDATE_SL", "update_sl_not_supported"],
]);

const MS_PER_SEC = 1000;

export function decide(proposal: Proposal, gates: Gates): Decided {
  const { harvestAction: action, killScore } = proposal;
  const close = CLOSES.get(action);
  const refuse = (decision: Decision, reason: string): Decided => ({ decision, reason });

  if (!gates.allowlist.has(proposal.symbol)) return refuse("SKIP", "not_in_allowlist");
  // Not `killScore < 0 || killScore > 1`: NaN would pass.
  if (!(killScore >= 0 && killScore <= 1)) return refuse("ERROR", "kill_score_invalid");
  const critical = killScore >= gates.killScoreCritical;
  if (critical && (close === undefined || gates.criticalBlocksCloses))
    return refuse("BLOCKED", "kill_score_critical");
  const warning = killScore >= gates.killScoreWarning;
  const raisesRisk = close === undefined && action !== "HOLD" && action !== "NONE";
  if (warning && raisesRisk) return refuse("BLOCKED", "kill_score_warning_risk_increase");
  if (gates.refuseSimulated && proposal.source?.includes("simulated") === true)
    return refuse("BLOCKED", "simulated_source");

  const proposedMs = proposedAtMs(proposal);
  const ages = gates.proposalMaxAgeSec > 0;
  if (ages && proposedMs === undefined) return refuse("SKIP", "proposal_stale");
  const fresh =
    ages && proposedMs !== undefined
      ? { fresh: { proposedMs, maxAgeMs: gates.proposalMaxAgeSec * MS_PER_SEC } }
      : {};
  if (close !== undefined) {
    return { decision: "EXECUTE", reason: warning ? "kill_score_warning_close_ok" : "", close, ...fresh };
  }
  const idle = IDLE.get(action);
  const unknown = { decision: "ERROR", reason: `unknown_action_${legible(action)}` } as const;
  return { ...(idle === undefined ? unknown : refuse("SKIP", idle)), ...fresh };
}

/**
 * By the publisher's clock: `last_update_epoch`, else `computed_at_utc`. Publishers write whole seconds of the first;
 * the second, where it lies in that second, tells the rest.
 */
export function proposedAtMs({ lastUpdateEpochSec, computedAtMs }: Proposal): number | undefined {
  if (lastUpdateEpochSec === undefined) return computedAtMs;
  const updatedMs = lastUpdateEpochSec * 1000;
  const agrees = computedAtMs !== undefined && Math.floor(computedAtMs / 1000) === lastUpdateEpochSec;
  return agrees ? computedAtMs : updatedMs;
}

const LEGIBLE_MAX = 32;

/** A publisher may write anything for an action, and of any size; this goes into comma lists, records and terminals. */
export function legible(action: string): string {
  return action.slice(0, LEGIBLE_MAX).replaceAll(/\W/g, "_");
}
