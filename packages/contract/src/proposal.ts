import { parsePythonFloat } from "./python.ts";

/**
 * One harvest proposal, from the hash or the stream. Numbers may be NaN or infinite where Python's float() allows it;
 * prices are in the quote currency. Undefined: absent, empty or `None`, and for a number that only informs, unreadable.
 */
export interface Proposal {
  symbol: string;
  /** As published; the gates reject unknown actions. */
  harvestAction: string;
  /** 0..1 by contract, but any double is possible, even NaN: the gates reject those. Part of the plan id. */
  killScore: number;
  newSlProposed: number | undefined;
  rNet: number | undefined;
  riskUnit: number | undefined;
  costEst: number | undefined;
  reasonCodes: string | undefined;
  kRegimeFlip: number | undefined;
  kSigmaSpike: number | undefined;
  kTsDrop: number | undefined;
  kAgePenalty: number | undefined;
  sigma: number | undefined;
  trendStrength: number | undefined;
  pTrend: number | undefined;
  pMr: number | undefined;
  pChop: number | undefined;
  /** As published, because it is part of the plan id; "" if absent. */
  computedAtUtc: string;
  /** The same in epoch milliseconds, microseconds cut off; undefined if it is not a UTC time. */
  computedAtMs: number | undefined;
  /** Always finite: a NaN would pass every age limit. */
  lastUpdateEpochSec: number | undefined;
  positionSide: string | undefined;
  positionAgeSec: number | undefined;
  positionCurrentPrice: number | undefined;
  positionEntryPrice: number | undefined;
  positionUnrealizedPnl: number | undefined;
  /** Who made the proposal, if stated. */
  source: string | undefined;
}

export type ParsedProposal = { ok: true; proposal: Proposal } | { ok: false; problems: string[] };

/** Reads a proposal's text fields; all problems at once, each naming the field, its value and the rule. */
export function parseProposal(symbol: string, fields: Readonly<Record<string, string>>): ParsedProposal {
  const problems: string[] = [];

  const text = (name: string): string | undefined => {
    const value = fields[name];
    return value === "" || value === "None" ? undefined : value;
  };
  const number = (name: string): number | undefined => {
    const value = text(name);
    return value === undefined ? undefined : parsePythonFloat(value);
  };
  /** A number that must not be lost: an unreadable one is a problem, not absent. */
  const strictNumber = (name: string): number | undefined => {
    const value = number(name);
    if (value === undefined && text(name) !== undefined) {
      problems.push(`${name} is ${JSON.stringify(fields[name])}, not a number as Python's float() reads it`);
    }
    return value;
  };

  const harvestAction = fields["harvest_action"] ?? "";
  if (harvestAction === "") problems.push("harvest_action is missing or empty: it is required");
  const killScore = strictNumber("kill_score");
  if (text("kill_score") === undefined) problems.push("kill_score is missing, empty or None: it is required");
  const newSlProposed = strictNumber("new_sl_proposed");
  if (killScore === undefined || problems.length > 0) return { ok: false, problems };

  const computedAtUtc = fields["computed_at_utc"] ?? "";
  const lastUpdateEpochSec = number("last_update_epoch");
  const proposal: Proposal = {
    symbol,
    harvestAction,
    killScore,
    newSlProposed,
    rNet: number("R_net"),
    riskUnit: number("risk_unit"),
    costEst: number("cost_est"),
    reasonCodes: text("reason_codes"),
    kRegimeFlip: number("k_regime_flip"),
    kSigmaSpike: number("k_sigma_spike"),
    kTsDrop: number("k_ts_drop"),
    kAgePenalty: number("k_age_penalty"),
    sigma: number("sigma"),
    trendStrength: number("ts"),
    pTrend: number("p_trend"),
    pMr: number("p_mr"),
    pChop: number("p_chop"),
    computedAtUtc,
    computedAtMs: parseUtcMs(computedAtUtc),
    lastUpdateEpochSec: Number.isFinite(lastUpdateEpochSec) ? lastUpdateEpochSec : undefined,
    positionSide: text("position_side"),
    positionAgeSec: number("position_age_sec"),
    positionCurrentPrice: number("position_current_price"),
    positionEntryPrice: number("position_entry_price"),
    positionUnrealizedPnl: number("position_unrealized_pnl"),
    source: text("source"),
  };
  return { ok: true, proposal };
}

const UTC_TIME = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?Z?$/;
const MILLISECOND_DIGITS = 3;

/** Python's isoformat of a UTC time, to the millisecond below. */
function parseUtcMs(text: string): number | undefined {
  const match = UTC_TIME.exec(text);
  if (match === null) return undefined;
  const [, seconds, fraction = ""] = match;
  const iso = `${seconds}.${fraction.slice(0, MILLISECOND_DIGITS).padEnd(MILLISECOND_DIGITS, "0")}Z`;
  const epochMs = Date.parse(iso);
  // Date.parse takes 30 February for 2 March: a time that does not format back to the same text is invalid.
  return !Number.isNaN(epochMs) && new Date(epochMs).toISOString() === iso ? epochMs : undefined;
}
