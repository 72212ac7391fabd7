/** A market for exchange-sim, made from a file of proposals: symbols, sides and prices. */
import { SYMBOL, SYMBOL_RULE } from "@quantum/contract";
import { Big } from "big.js";

/** A row of `SIM_MARKET_FILE`. Decimals are text; `positionAmt` is signed. */
export interface MarketRow {
  readonly symbol: string;
  readonly price: string;
  readonly positionAmt: string;
  readonly entryPrice: string;
  readonly stepSize: string;
  readonly minQty: string;
  readonly minNotional: string;
  readonly tickSize: string;
  readonly leverage: string;
}

export interface ProposalLine {
  readonly symbol: string;
  readonly expectedPlanId: string | undefined;
  readonly fields: Readonly<Record<string, string>>;
}

/** Large enough that a quarter of the quarter that remains still passes every filter. */
const POSITION_NOTIONAL_USD = 10_000;
const MIN_NOTIONAL_USD = "5";
const LEVERAGE = "5";
/** A tick is this many decimal places below the price's first digit, as on the real venue. */
const TICK_DIGITS = 4;
/** The finest and coarsest quantity steps of the real venue. */
const FINEST_STEP_EXPONENT = -3;
const COARSEST_STEP_EXPONENT = 0;

/** Parses every line. Throws an error that names the first line that is not a proposal. */
export function parseProposalLines(text: string, file: string): ProposalLine[] {
  const lines = text
    .split("\n")
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== "");
  if (lines.length === 0) throw new Error(`--proposals ${file}: the file has no lines`);
  return lines.map(({ line, number }) => parseLine(line, `--proposals ${file}, line ${number}`));
}

function parseLine(line: string, where: string): ProposalLine {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new Error(`${where}: not JSON`, { cause: error });
  }
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  const fields = Object.fromEntries(entries.map(([name, content]) => [name, String(content)]));
  const { symbol = "", expected_plan_id: expectedPlanId } = fields;
  if (!SYMBOL.test(symbol)) {
    throw new Error(`${where}: symbol is ${JSON.stringify(symbol)}, must be ${SYMBOL_RULE}`);
  }
  return { symbol, expectedPlanId, fields };
}

/** One row per symbol, from its first line. */
export function marketOf(lines: readonly ProposalLine[]): MarketRow[] {
  const first = new Map<string, ProposalLine>();
  for (const line of lines) if (!first.has(line.symbol)) first.set(line.symbol, line);
  return [...first.values()].map(rowOf);
}

function rowOf({ symbol, fields }: ProposalLine): MarketRow {
  const price =
    positive(fields["position_current_price"]) ?? positive(fields["position_entry_price"]) ?? Big(1);
  const exponent = price.e;
  const tick = tenTo(exponent - TICK_DIGITS);
  const step = tenTo(Math.min(Math.max(-exponent - 1, FINEST_STEP_EXPONENT), COARSEST_STEP_EXPONENT));
  const toTick = (value: Big) => value.div(tick).round().times(tick).toFixed();
  const size = Big(POSITION_NOTIONAL_USD).div(price).div(step).round().times(step);
  return {
    symbol,
    price: toTick(price),
    positionAmt: (fields["position_side"] === "SHORT" ? size.times(-1) : size).toFixed(),
    entryPrice: toTick(positive(fields["position_entry_price"]) ?? price),
    stepSize: step.toFixed(),
    minQty: step.toFixed(),
    minNotional: MIN_NOTIONAL_USD,
    tickSize: tick.toFixed(),
    leverage: LEVERAGE,
  };
}

function tenTo(exponent: number): Big {
  return Big(10).pow(exponent);
}

function positive(text: string | undefined): Big | undefined {
  try {
    const value = Big(text ?? "");
    return value.gt(0) ? value : undefined;
  } catch {
    return undefined;
  }
}
