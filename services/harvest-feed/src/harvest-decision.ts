/**
 * The harvest decision: the action proposed for a position, given its profit and the market. All values are ratios or
 * scores, in doubles as in the Python publisher. No quantity is computed from them.
 */
import type { HarvestAction } from "@quantum/contract";

/** The terms of the kill score. Each is 0 if it gives no reason to close the position. */
export interface KillTerms {
  /** 1 if the market's regime turned against the position, else 0. */
  regimeFlip: number;
  sigmaSpike: number;
  tsDrop: number;
  agePenalty: number;
}

const WEIGHTS: KillTerms = { regimeFlip: 1, sigmaSpike: 0.5, tsDrop: 0.5, agePenalty: 0.3 };

/** From this score the whole position should be closed. */
export const KILL_CLOSE = 0.6;
/** From this net profit, in units of risk, part of the position is harvested; largest first. */
const TRANCHES = [
  { fromR: 6, action: "PARTIAL_75" },
  { fromR: 4, action: "PARTIAL_50" },
  { fromR: 2, action: "PARTIAL_25" },
] as const;
/** From this drop of trend strength the publisher gives it as a reason. */
const TS_DROP_NAMED = 0.2;

/** Reference values for volatility and trend strength, and the age in seconds that adds a full penalty. */
const SIGMA_USUAL = 0.01;
const TREND_STRENGTH_USUAL = 0.3;
const DAY_SEC = 86_400;

/** The publisher's terms: excess volatility, lack of trend, age in days. */
export function killTerms(market: {
  regimeFlipped: boolean;
  sigma: number;
  trendStrength: number;
  ageSec: number;
}): KillTerms {
  return {
    regimeFlip: market.regimeFlipped ? 1 : 0,
    sigmaSpike: Math.max(0, market.sigma / SIGMA_USUAL - 1),
    tsDrop: Math.max(0, TREND_STRENGTH_USUAL - market.trendStrength),
    agePenalty: market.ageSec / DAY_SEC,
  };
}

/** 0..1: 0.5 if there is no reason to close the position. */
export function killScore(terms: KillTerms): number {
  const sum =
    WEIGHTS.regimeFlip * terms.regimeFlip +
    WEIGHTS.sigmaSpike * terms.sigmaSpike +
    WEIGHTS.tsDrop * terms.tsDrop +
    WEIGHTS.agePenalty * terms.agePenalty;
  return 1 / (1 + Math.exp(-sum));
}

/** Profit in units of risk, minus the cost of closing in the same units. `profit` and `riskUnit` are per coin. */
export function netR(profit: number, riskUnit: number, cost: number): number {
  return profit / riskUnit - cost;
}

/** NONE if neither profit nor score calls for an action. */
export function harvestAction(rNet: number, score: number): HarvestAction {
  if (score >= KILL_CLOSE) return "FULL_CLOSE_PROPOSED";
  return tranche(rNet)?.action ?? "NONE";
}

/** A comma-separated list, in the publisher's order and words. */
export function reasonCodes(rNet: number, score: number, terms: KillTerms): string {
  const codes: string[] = [];
  const harvested = tranche(rNet);
  if (harvested !== undefined) codes.push(`harvest_${harvested.action.toLowerCase()}`, "profit_lock");
  if (score >= KILL_CLOSE) {
    codes.push("kill_score_triggered");
    if (terms.regimeFlip > 0) codes.push("regime_flip");
    if (terms.tsDrop >= TS_DROP_NAMED) codes.push("ts_drop");
  }
  return codes.join(",");
}

function tranche(rNet: number) {
  return TRANCHES.find(({ fromR }) => rNet >= fromR);
}
