/**
 * The harvest decision: what the profit and the state of the market propose to do with a position. Everything here is
 * a ratio or a score, in doubles as the Python publisher has them; no quantity is computed from it.
 */
import type { HarvestAction } from "@quantum/contract";

/** The terms of the kill score, each 0 when nothing speaks against the position. */
export interface KillTerms {
  /** 1 when the market's regime turned against the position, else 0. */
  regimeFlip: number;
  sigmaSpike: number;
  tsDrop: number;
  agePenalty: number;
}

const WEIGHTS: KillTerms = { regimeFlip: 1, sigmaSpike: 0.5, tsDrop: 0.5, agePenalty: 0.3 };

/** The score from which on the whole position should go. */
export const KILL_CLOSE = 0.6;
/** Net profit, in units of risk, from which on a part of the position is harvested; the largest first. */
const TRANCHES = [
  { fromR: 6, action: "PARTIAL_75" },
  { fromR: 4, action: "PARTIAL_50" },
  { fromR: 2, action: "PARTIAL_25" },
] as const;
/** The drop of trend strength from which on the publisher names it as a reason. */
const TS_DROP_NAMED = 0.2;

/** What volatility and trend strength are compared with, and the age in seconds that costs a whole penalty. */
const SIGMA_USUAL = 0.01;
const TREND_STRENGTH_USUAL = 0.3;
const DAY_SEC = 86_400;

/** The terms as the publisher measures them: excess of volatility, lack of trend, age in days. */
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

/** 0..1: 0.5 when nothing speaks against the position. */
export function killScore(terms: KillTerms): number {
  const sum =
    WEIGHTS.regimeFlip * terms.regimeFlip +
    WEIGHTS.sigmaSpike * terms.sigmaSpike +
    WEIGHTS.tsDrop * terms.tsDrop +
    WEIGHTS.agePenalty * terms.agePenalty;
  return 1 / (1 + Math.exp(-sum));
}

/** Profit in units of risk, less the cost of closing in the same units. Profit and risk unit are for one coin. */
export function netR(profit: number, riskUnit: number, cost: number): number {
  return profit / riskUnit - cost;
}

/** NONE when neither the profit nor the score asks for anything. */
export function harvestAction(rNet: number, score: number): HarvestAction {
  if (score >= KILL_CLOSE) return "FULL_CLOSE_PROPOSED";
  return tranche(rNet)?.action ?? "NONE";
}

/** Comma list, in the publisher's order and words. */
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
