/**
 * P2.6's decision on one plan. Pure. It grants the whole close, grants less, or denies; it never enlarges a close. In
 * this order: an unknown portfolio denies; a cooldown reduces a close by one step; a cold portfolio caps full closes;
 * high stress lifts both reductions.
 */
import type { P26Grant, P26Reason, PythonJson } from "@quantum/contract";
import { isUnknown, type Portfolio, type Unknown } from "./portfolio.ts";

export interface Rules {
  /** The symbols of the portfolio. */
  allowlist: ReadonlySet<string>;
  /** Below this stress the portfolio is cold. */
  coldBelow: number;
  /** At or above this stress nothing is capped. */
  riskOffFrom: number;
  /** From this kill score, a cold portfolio caps a full close less. */
  hardKillScore: number;
}

export interface Facts {
  symbol: string;
  killScore: number;
  /** Share of the position that the plan closes, in percent; 0 if it closes nothing. */
  pct: number;
  portfolio: Portfolio | Unknown;
  /** An order of the symbol was executed recently. */
  isCooling: boolean;
}

export type Judgement =
  | { verdict: "whole"; reason: P26Grant }
  /** `pct`: of the position, less than the plan closes. `qty`: the same in coins, exact. */
  | { verdict: "capped"; reason: P26Grant; pct: number; qty: string }
  | { verdict: "denied"; reason: P26Reason; context: Readonly<Record<string, PythonJson>> };

const WHOLE_PCT = 100;
/** Multiplied, because a division would round. */
const PER_PCT = "0.01";
/** The steps in which positions are closed, in percent. */
const STEPS = [75, 50, 25, 0] as const;
const COLD_PCT = 50;
const COLD_HARD_PCT = 75;

export function decide(facts: Facts, rules: Rules): Judgement {
  const { symbol, pct, portfolio } = facts;
  if (!rules.allowlist.has(symbol)) return deny("not_in_allowlist");
  if (isUnknown(portfolio)) return deny("portfolio_state_unknown", { ...portfolio });
  // The plan leads to no order.
  if (pct === 0) return { verdict: "whole", reason: "portfolio_no_cap" };
  const position = portfolio.positions.get(symbol);
  // A cap of 0 would mean "no cap" (docs/wire.md, "Permits").
  if (position === undefined || position.eq(0)) return deny("no_position");
  const cap = lowestCap(facts, portfolio.stress, rules);
  if (cap === undefined) return { verdict: "whole", reason: "portfolio_no_cap" };
  if (portfolio.stress >= rules.riskOffFrom) return { verdict: "whole", reason: "portfolio_risk_off" };
  if (cap.pct === 0) return deny("portfolio_cooldown", { stress: portfolio.stress });
  return { verdict: "capped", ...cap, qty: position.abs().times(cap.pct).times(PER_PCT).toFixed() };
}

/** Undefined if nothing caps the plan. */
function lowestCap(
  { killScore, pct, isCooling }: Facts,
  stress: number,
  rules: Rules,
): { pct: number; reason: P26Grant } | undefined {
  const step = isCooling ? STEPS.find((smaller) => smaller < pct) : undefined;
  if (pct >= WHOLE_PCT && stress < rules.coldBelow) {
    const cold = killScore >= rules.hardKillScore ? COLD_HARD_PCT : COLD_PCT;
    // The smaller cap counts, so during a cooldown a cold portfolio never allows more.
    if (step === undefined || cold < step) return { pct: cold, reason: "portfolio_cap_cold" };
  }
  return step === undefined ? undefined : { pct: step, reason: "portfolio_cap_cooldown" };
}

function deny(reason: P26Reason, context: Readonly<Record<string, PythonJson>> = {}): Judgement {
  return { verdict: "denied", reason, context };
}
