import { z } from "zod";
import type { OrderState, Position, SymbolRules, Trade } from "./port.ts";
import { ORDER_STATUSES } from "./port.ts";

/*
 * The venue's answers, checked at the boundary. The client's JSON parser leaves every number as the text it was,
 * so an id here is a string of digits whether the venue quoted it or not.
 */
const id = z.string().regex(/^\d+$/);
const decimal = z.string().regex(/^-?\d+(\.\d+)?$/);
const timeMs = id.transform(Number);
const side = z.enum(["BUY", "SELL"]);

export const serverTimeAnswer = z.object({ serverTime: timeMs });
export const hedgeModeAnswer = z.object({ dualSidePosition: z.boolean() });
export const errorAnswer = z.object({
  code: z
    .string()
    .regex(/^-?\d+$/)
    .transform(Number),
  msg: z.string(),
});

export const orderAnswer = z
  .object({
    symbol: z.string().min(1),
    orderId: id,
    clientOrderId: z.string().min(1),
    side,
    status: z.enum(ORDER_STATUSES),
    reduceOnly: z.boolean(),
    origQty: decimal,
    executedQty: decimal,
    avgPrice: decimal,
    updateTime: timeMs,
  })
  .transform(({ updateTime, ...order }): OrderState => ({ ...order, updateTimeMs: updateTime }));

export const positionsAnswer = z.array(
  z
    .object({
      symbol: z.string().min(1),
      // A LONG or SHORT row is half a position; taking it for the whole would close the wrong amount.
      positionSide: z.literal("BOTH"),
      positionAmt: decimal,
      entryPrice: decimal,
      markPrice: decimal,
      unRealizedProfit: decimal,
      leverage: decimal,
      updateTime: timeMs,
    })
    .transform(({ positionSide: _one, unRealizedProfit, updateTime, ...row }): Position => ({
      ...row,
      unrealizedProfit: unRealizedProfit,
      updateTimeMs: updateTime,
    })),
);

export const tradesAnswer = z.array(
  z
    .object({ id, orderId: id, symbol: z.string().min(1), side, price: decimal, qty: decimal, time: timeMs })
    .transform(({ time, ...trade }): Trade => ({ ...trade, timeMs: time })),
);

const stepSize = decimal.refine((step) => Number(step) > 0, "must be above 0");
const lot = z.object({ stepSize, minQty: decimal, maxQty: decimal });
const filters = z.object({
  LOT_SIZE: lot,
  MARKET_LOT_SIZE: lot.optional(),
  MIN_NOTIONAL: z.object({ notional: decimal }),
  PRICE_FILTER: z.object({ tickSize: decimal }),
});
const symbolInfo = z.object({
  symbol: z.string().min(1),
  filters: z.array(z.looseObject({ filterType: z.string() })),
});

/** Symbols whose filters do not parse are left out: the venue lists some that are not tradable yet. */
export const rulesAnswer = z.object({ symbols: z.array(symbolInfo) }).transform(({ symbols }) => {
  const rules = new Map<string, SymbolRules>();
  for (const { symbol, filters: list } of symbols) {
    const parsed = filters.safeParse(Object.fromEntries(list.map((filter) => [filter.filterType, filter])));
    if (!parsed.success) continue;
    const { LOT_SIZE, MARKET_LOT_SIZE, MIN_NOTIONAL, PRICE_FILTER } = parsed.data;
    rules.set(symbol, {
      symbol,
      ...(MARKET_LOT_SIZE ?? LOT_SIZE),
      minNotional: MIN_NOTIONAL.notional,
      tickSize: PRICE_FILTER.tickSize,
    });
  }
  return rules;
});
