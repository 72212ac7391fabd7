/** Invents proposals for the positions that P3.3 sees. Each proposes to close something, so that each opens a plan. */
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

/** The cost of closing, in units of risk, and the distance of the proposed stop from the entry: the publisher's. */
const COST_EST = 0.1;
const STOP_DISTANCE = 0.002;
/** A position in profit gets one of the three tranches, and sometimes a turned regime as well. */
const R_NET_RANGE = [2.1, 8] as const;
const REGIME_FLIP_RATE = 0.15;
/** The risk unit of a position without profit, as a share of its entry price. */
const RISK_SHARE = 0.0005;
/** The market as the publisher saw it in production. */
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

  /** Never the same twice: a proposal's time is what makes its plan another one. */
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
    // A snapshot does not tell where the position's stop was, which sizes its risk: one is made up that fits a tranche.
    const riskUnit = profit > 0 ? profit / (between(R_NET_RANGE) + COST_EST) : entryPrice * RISK_SHARE;
    const rNet = netR(profit, riskUnit, COST_EST);

    const sigma = between(SIGMA_RANGE);
    const trendStrength = between(TREND_STRENGTH_RANGE);
    const ageSec = between(AGE_SEC_RANGE);
    const pTrend = between(P_TREND_RANGE);
    const pMr = between(P_MR_RANGE);
    // Without profit there is nothing to harvest, and only a turned regime closes the position.
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

/** As Python's `datetime.utcnow().isoformat()`: microseconds, no zone. */
function isoMicros(micros: number): string {
  const toMilliseconds = new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1);
  return `${toMilliseconds}${String(micros % 1000).padStart(3, "0")}`;
}
