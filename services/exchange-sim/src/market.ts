import { Big } from "big.js";
import { z } from "zod";

const decimal = z.string().regex(/^-?\d+(\.\d+)?$/, "must be a plain decimal");
const positive = decimal.refine((value) => Big(value).gt(0), "must be above 0");

/** Source: Binance, USDⓈ-M Futures, "Public Endpoints Info: Contract Status". */
export const SYMBOL_STATUSES = [
  "TRADING",
  "PENDING_TRADING",
  "PRE_SETTLE",
  "SETTLING",
  "PRE_DELIVERING",
  "DELIVERING",
  "DELIVERED",
  "CLOSE",
] as const;
export type SymbolStatus = (typeof SYMBOL_STATUSES)[number];

/** What a tester can change while the venue runs. */
const changeable = {
  status: z.enum(SYMBOL_STATUSES).optional(),
  /** Of LOT_SIZE, which market orders do not have to meet. */
  maxQty: positive.optional(),
  /** Of MARKET_LOT_SIZE. May be smaller than the position, which then cannot be closed by one order. */
  marketMaxQty: positive.optional(),
  /** How far the best bid and ask are from the mark price, as a share of it. */
  spread: decimal.optional(),
};
export const symbolChanges = z.strictObject({ symbol: z.string(), ...changeable });
export type SymbolChanges = Omit<z.infer<typeof symbolChanges>, "symbol">;

/** A symbol of the simulated market, and the account's initial position. */
export const marketSchema = z
  .array(
    z.strictObject({
      // Some symbols of the venue are not ASCII.
      symbol: z.string().regex(/^[\p{L}\p{N}_]{2,32}$/u),
      price: positive,
      /** Signed; also the size that the simulated strategy restores. */
      positionAmt: decimal,
      entryPrice: positive,
      stepSize: positive,
      minQty: positive,
      minNotional: positive,
      tickSize: positive,
      leverage: z.string().regex(/^\d+$/),
      ...changeable,
    }),
  )
  .min(1)
  .refine(
    (market) => new Set(market.map((row) => row.symbol)).size === market.length,
    "symbols must be unique",
  );

export type SymbolSpec = z.infer<typeof marketSchema>[number];

/** With USDⓈ-M Futures filters, and both long and short positions. */
export const DEFAULT_MARKET: readonly SymbolSpec[] = [
  spec("BTCUSDT", "105000.00", "0.062", "103450.50", "0.001", "100", "0.10", "10"),
  spec("ETHUSDT", "3310.00", "-1.850", "3402.15", "0.001", "20", "0.01", "10"),
  spec("SOLUSDT", "145.3000", "42.15", "139.8200", "0.01", "5", "0.0100", "5"),
  spec("BNBUSDT", "690.000", "-9.50", "702.410", "0.01", "5", "0.010", "5"),
  spec("XRPUSDT", "2.3500", "2600.5", "2.2810", "0.1", "5", "0.0001", "5"),
  spec("1000SHIBUSDT", "0.012300", "-4100", "0.012950", "1", "5", "0.000001", "3"),
];

function spec(
  symbol: string,
  price: string,
  positionAmt: string,
  entryPrice: string,
  stepSize: string,
  minNotional: string,
  tickSize: string,
  leverage: string,
): SymbolSpec {
  return {
    symbol,
    price,
    positionAmt,
    entryPrice,
    stepSize,
    minQty: stepSize,
    minNotional,
    tickSize,
    leverage,
  };
}

/** The quantities that one order may have. */
export interface Lot {
  readonly stepSize: string;
  readonly minQty: string;
  readonly maxQty: string;
}

/** The most steps in one market order, and in one limit order, unless the market says otherwise. */
const MARKET_STEPS_MAX = 10_000_000;
const STEPS_MAX = 10 * MARKET_STEPS_MAX;

export function lotOf({ stepSize, minQty, maxQty }: SymbolSpec): Lot {
  return { stepSize, minQty, maxQty: maxQty ?? Big(stepSize).times(STEPS_MAX).toFixed() };
}

export function marketLotOf({ stepSize, minQty, marketMaxQty }: SymbolSpec): Lot {
  return { stepSize, minQty, maxQty: marketMaxQty ?? Big(stepSize).times(MARKET_STEPS_MAX).toFixed() };
}

/** How far a price may be from the mark price, as a share of it. */
export const PERCENT_PRICE = "0.05";

/** The decimals of `step`. Quantities and prices are printed with as many. */
export function decimalsOf(step: string): number {
  return step.split(".")[1]?.length ?? 0;
}

const STEP_MS = 100;
/** The walk catches up at once after a long time without requests. */
const STEPS_AT_ONCE_MAX = 100;
/** The maximum step, and the maximum distance from the start, in ten-thousandths of the price. */
const STEP_BPS = 2n;
const RANGE_BPS = 1000n;
const BPS = 10_000n;

/** A price that moves in whole ticks over time, within ±10 % of its start. */
export function createPriceWalk(
  market: SymbolSpec,
  random: () => number,
  nowMs: number,
): (nowMs: number) => Big {
  const tick = Big(market.tickSize);
  const start = BigInt(Big(market.price).div(tick).round(0, Big.roundDown).toFixed());
  const widest = (start * STEP_BPS) / BPS + 1n;
  const range = (start * RANGE_BPS) / BPS;
  let ticks = start;
  let steppedAtMs = nowMs;

  return (nowMs) => {
    const due = Math.floor((nowMs - steppedAtMs) / STEP_MS);
    for (let step = 0; step < Math.min(due, STEPS_AT_ONCE_MAX); step += 1) {
      const next = ticks + BigInt(Math.round((random() * 2 - 1) * Number(widest)));
      const offStart = next > start ? next - start : start - next;
      if (next > 0n && offStart <= range) ticks = next;
    }
    if (due > 0) steppedAtMs += due * STEP_MS;
    return tick.times(ticks.toString());
  };
}
