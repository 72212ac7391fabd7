/**
 * A portfolio's stress, from 0 (calm) to 1. Pure. All values are ratios or scores, in doubles; no quantity is computed
 * from them. The weights and the range of the heat are the Python P2.6's, which always uses σ = 1, so that its heat is
 * always 1.
 */

/** One symbol's part. */
export interface Holding {
  /** In dollars; negative for a short position. */
  notional: number;
  /** Volatility as measured by the publisher; about 0.01 on a usual day. */
  sigma: number;
}

/** Each from 0 to 1. */
export interface Stress {
  stress: number;
  /** Volatility, weighted by notional. */
  heat: number;
  /** How one-sided the portfolio is: |net| / gross. */
  concentration: number;
  /** The share of the notional on the net side, for positions that fall together. */
  correlation: number;
}

/** Up to this value of σ / P26_SIGMA_REF the heat is 0. */
const COLD = 0.05;
/** From {@link COLD} plus this range the heat is 1. */
const HEAT_RANGE = 0.3;
/** Sums of doubles are exact to about 1e-16 of the gross, for each of them. */
const ROUNDING = 1e-12;
const WEIGHTS = { heat: 0.6, concentration: 0.25, correlation: 0.15 } as const;
const CALM: Stress = { stress: 0, heat: 0, concentration: 0, correlation: 0 };

/** @param sigmaRef the volatility that counts as 1 */
export function stressOf(holdings: readonly Holding[], sigmaRef: number): Stress {
  const gross = grossOf(holdings);
  if (gross === 0) return CALM;
  const share = ({ notional }: Holding) => Math.abs(notional) / gross;
  const net = sumOf(holdings, ({ notional }) => notional);
  const sigma = sumOf(holdings, (holding) => share(holding) * holding.sigma);
  // What is left by rounding has no side.
  const side = Math.abs(net) > gross * ROUNDING ? Math.sign(net) : 0;
  const onNetSide = holdings.filter(({ notional }) => side !== 0 && Math.sign(notional) === side);
  const heat = clamp((sigma / sigmaRef - COLD) / HEAT_RANGE);
  const concentration = clamp(Math.abs(net) / gross);
  const correlation = clamp(sumOf(onNetSide, share));
  const stress = clamp(
    WEIGHTS.heat * heat + WEIGHTS.concentration * concentration + WEIGHTS.correlation * correlation,
  );
  return { stress, heat, concentration, correlation };
}

/** In dollars. */
export function grossOf(holdings: readonly Holding[]): number {
  return sumOf(holdings, ({ notional }) => Math.abs(notional));
}

function sumOf(holdings: readonly Holding[], term: (holding: Holding) => number): number {
  return holdings.reduce((sum, holding) => sum + term(holding), 0);
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
