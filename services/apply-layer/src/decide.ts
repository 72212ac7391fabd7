/**
 * The gates that a proposal must pass before its plan may wait for permits, in order: allowlist, kill score, source,
 * freshness, action. The script that opens the plan checks the kill switch first, and freshness and duplicates last,
 * because it has Redis's time and this process's clock may be wrong.
 *
 * The kill-score gates depend on direction: a score that proposes a close must not block it.
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
  /** `reason_codes` of the entry; for EXECUTE, empty or a remark. */
  reason: string;
  /** What EXECUTE would do. */
  close?: Close;
  /**
   * Set if it passed all gates before freshness. If it is older than `maxAgeMs` when it opens, it becomes SKIP
   * proposal_stale.
   */
  fresh?: { proposedMs: number; maxAgeMs: number };
}

export interface Close {
  step: string;
  /** Percentage of the position. */
  pct: number;
}

// Maps, because an object would also contain "constructor".
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
  // Not `killScore < 0 || killScore > 1`, which NaN would pass.
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
 * The publisher's time: `last_update_epoch`, else `computed_at_utc`. The former is in whole seconds. If the latter is
 * within the same second, it is more precise and is used.
 */
export function proposedAtMs({ lastUpdateEpochSec, computedAtMs }: Proposal): number | undefined {
  if (lastUpdateEpochSec === undefined) return computedAtMs;
  const updatedMs = lastUpdateEpochSec * 1000;
  const agrees = computedAtMs !== undefined && Math.floor(computedAtMs / 1000) === lastUpdateEpochSec;
  return agrees ? computedAtMs : updatedMs;
}

const LEGIBLE_MAX = 32;

/**
 * A publisher may write any text of any size as an action. This makes it safe for comma-separated lists, records and
 * terminals.
 */
export function legible(action: string): string {
  return action.slice(0, LEGIBLE_MAX).replaceAll(/\W/g, "_");
}
