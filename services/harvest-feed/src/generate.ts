/** Invents proposals for P3.3's positions. Each one proposes a close, so each opens a plan. */
import { formatPythonFloat, planId } from "@quantum/contract";
import { seededRandom } from "@quantum/service-kit";
import { harvestAction, killScore, killTerms, netR, reasonCodes } from "./harvest-decision.ts";
import { type FeedProposal, type ProposalSource, SOURCE } from "./proposals.ts";
import type { Position } from "./snapshot.ts";

export interface GeneratorOptions {
  symbols: readonly string[];
  seed: number;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/**
 * The publisher's values: the cost of closing, in units of risk, and the distance of the proposed stop from the entry.
 */
const COST_EST = 0.1;
const STOP_DISTANCE = 0.002;
/** A profitable position gets one of the three tranches, and sometimes a regime change as well. */
const R_NET_RANGE = [2.1, 8] as const;
const REGIME_FLIP_RATE = 0.15;
/** The risk unit of a position without profit, as a share of its entry price. */
const RISK_SHARE = 0.0005;
/** Market conditions that the publisher saw in production. */
const SIGMA_RANGE = [0.009, 0.0125] as const;
const TREND_STRENGTH_RANGE = [0, 0.6] as const;
const AGE_SEC_RANGE = [60, 7_200] as const;
const P_TREND_RANGE = [0.2, 0.5] as const;
const P_MR_RANGE = [0.05, 0.15] as const;

/** The same seed, snapshots and times give the same proposals. */
export function createGenerator({ symbols, seed, now }: GeneratorOptions): ProposalSource {
  const random = seededRandom(seed);
  const between = ([from, to]: readonly [number, number]) => from + random() * (to - from);
  let lastMicros = 0;

  /** Always a new value, because a proposal's time makes its plan unique. */
  const nextMicros = () => {
    lastMicros = Math.max(lastMicros + 1, now() * 1000 + Math.floor(random() * 1000));
    return lastMicros;
  };

  return {
    symbols,
    hasNext: () => true,
    next: (symbol, { position }) => position && propose(symbol, position),
  };

  function propose(symbol: string, position: Position): FeedProposal {
    const { side, entryPrice, markPrice } = position;
    const direction = side === "LONG" ? 1 : -1;
    const profit = direction * (markPrice - entryPrice);
    // A snapshot lacks the position's stop, which determines its risk. Invent a risk that fits a tranche.
    const riskUnit = profit > 0 ? profit / (between(R_NET_RANGE) + COST_EST) : entryPrice * RISK_SHARE;
    const rNet = netR(profit, riskUnit, COST_EST);

    const sigma = between(SIGMA_RANGE);
    const trendStrength = between(TREND_STRENGTH_RANGE);
    const ageSec = between(AGE_SEC_RANGE);
    const pTrend = between(P_TREND_RANGE);
    const pMr = between(P_MR_RANGE);
    // Without profit there is nothing to harvest. Only a regime change closes the position.
    const regimeFlipped = random() < REGIME_FLIP_RATE || profit <= 0;
    const terms = killTerms({ regimeFlipped, sigma, trendStrength, ageSec });
    const score = killScore(terms);
    const action = harvestAction(rNet, score);
    const stop = entryPrice * (1 + direction * STOP_DISTANCE);
    const micros = nextMicros();
    const computedAtUtc = isoMicros(micros);

    return {
      symbol,
      action,
      planId: planId({
        symbol,
        harvestAction: action,
        killScore: score,
        newSlProposed: stop,
        computedAtUtc,
      }),
      fields: {
        harvest_action: action,
        new_sl_proposed: formatPythonFloat(stop),
        R_net: formatPythonFloat(rNet),
        risk_unit: formatPythonFloat(riskUnit),
        cost_est: formatPythonFloat(COST_EST),
        kill_score: formatPythonFloat(score),
        reason_codes: reasonCodes(rNet, score, terms),
        k_regime_flip: formatPythonFloat(terms.regimeFlip),
        k_sigma_spike: formatPythonFloat(terms.sigmaSpike),
        k_ts_drop: formatPythonFloat(terms.tsDrop),
        k_age_penalty: formatPythonFloat(terms.agePenalty),
        sigma: formatPythonFloat(sigma),
        ts: formatPythonFloat(trendStrength),
        p_trend: formatPythonFloat(pTrend),
        p_mr: formatPythonFloat(pMr),
        p_chop: formatPythonFloat(1 - pTrend - pMr),
        computed_at_utc: computedAtUtc,
        last_update_epoch: String(Math.floor(micros / 1e6)),
        position_side: side,
        position_age_sec: formatPythonFloat(ageSec),
        position_current_price: formatPythonFloat(markPrice),
        position_entry_price: formatPythonFloat(entryPrice),
        position_unrealized_pnl: formatPythonFloat(profit),
        source: SOURCE,
      },
    };
  }
}

/** The format of Python's `datetime.utcnow().isoformat()`: microseconds, no time zone. */
function isoMicros(micros: number): string {
  const toMilliseconds = new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1);
  return `${toMilliseconds}${String(micros % 1000).padStart(3, "0")}`;
}
