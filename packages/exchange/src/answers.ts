import { Big } from "big.js";
import { z } from "zod";
import type { AccountConfig, OrderState, Position, Rows, SymbolRules, Trade } from "./port.ts";
import type { AlgoOrder, OpenOrder } from "./resting-orders.ts";

/*
 * The venue's answers, checked at the boundary. The client's JSON parser keeps every number as text, so an id is a
 * string of digits whether the venue quoted it or not. A field that we do not need may be missing or unreadable: it
 * becomes "".
 */
export const id = z.string().regex(/^\d+$/);
/** Plain decimal text. Some of the venue's services write an exponent, such as `0E-8` for zero. */
export const decimal = z
  .string()
  .regex(/^-?\d+(\.\d+)?(e[+-]?\d{1,2})?$/i)
  .transform((text) => (/e/i.test(text) ? Big(text).toFixed() : text));
export const neededByNobody = decimal.catch("");
/** A price of 0 or below means that there is no price. */
export const price = decimal.refine((text) => Big(text).gt(0)).catch("");
export const timeMs = id.transform(Number);
export const side = z.enum(["BUY", "SELL"]);
export const symbol = z.string().min(1);

/** Some of the venue's services write `"true"`. */
export const bool = z.union([z.boolean(), z.enum(["true", "false"]).transform((word) => word === "true")]);

export const serverTimeAnswer = z.object({ serverTime: timeMs });
export const hedgeModeAnswer = z.object({ dualSidePosition: bool });
export const accountConfigAnswer = z
  .object({ canTrade: bool, dualSidePosition: bool, multiAssetsMargin: bool })
  .transform(({ canTrade, dualSidePosition, multiAssetsMargin }): AccountConfig => ({
    canTrade,
    hedgeMode: dualSidePosition,
    multiAssetsMode: multiAssetsMargin,
  }));
/** Some of the venue's services answer an extension with `{}`. */
export const listenKeyAnswer = z.object({ listenKey: z.string().min(1) });
export const extendedKeyAnswer = listenKeyAnswer.partial();
export const errorAnswer = z.object({
  code: z
    .string()
    .regex(/^-?\d+$/)
    .transform(Number),
  // The code decides.
  msg: z.string().catch(""),
});

const orderFields = {
  symbol,
  orderId: id,
  // Orders that the venue creates itself, such as liquidations, may have none.
  clientOrderId: z.string().catch(""),
  side,
  // There are more than the documented ones: NEW_INSURANCE, NEW_ADL, PENDING_CANCEL.
  status: z.string().min(1),
  // If unreadable, assume true: an order that may reduce the position must be counted.
  reduceOnly: bool.catch(true),
  executedQty: decimal,
  avgPrice: price,
  updateTime: timeMs.catch(0),
};
const toOrder = ({ updateTime, ...order }: Omit<OrderState, "updateTimeMs"> & { updateTime: number }) => ({
  ...order,
  updateTimeMs: updateTime,
});

export const orderAnswer = z.object({ ...orderFields, origQty: neededByNobody }).transform(toOrder);

const optionalText = z.string().catch("");

/**
 * The answer to a placement. The venue may answer before the order is filled, without its price, or with its ids alone.
 * `order` is undefined if the answer does not hold a whole order.
 */
export const placementAnswer = z
  .looseObject({ orderId: id, symbol: optionalText, clientOrderId: optionalText, status: optionalText })
  .transform((answer) => ({ ...answer, order: orderAnswer.safeParse(answer).data }));

const flag = bool.optional().catch(undefined);
/** If it cannot be read whether an order is reduce-only, it may be either. */
function effectOf(reduceOnly: boolean | undefined, closePosition = false) {
  if (reduceOnly !== undefined || closePosition) return { reduceOnly: reduceOnly ?? true, closePosition };
  return { reduceOnly: true, closePosition, isUnclear: true };
}

export const openOrdersAnswer = rowsOf(
  z
    .object({ ...orderFields, origQty: decimal, type: optionalText, reduceOnly: flag, closePosition: flag })
    .transform(({ reduceOnly, closePosition, type, ...order }): OpenOrder => ({
      ...toOrder({ ...order, reduceOnly: true }),
      ...effectOf(reduceOnly, closePosition),
      type,
    })),
);

export const openAlgoOrdersAnswer = rowsOf(
  z
    .object({
      symbol,
      algoId: id,
      clientAlgoId: optionalText,
      side,
      orderType: optionalText,
      reduceOnly: flag,
      closePosition: flag,
      quantity: neededByNobody,
      triggerPrice: neededByNobody,
    })
    .transform(({ reduceOnly, closePosition, orderType, ...order }): AlgoOrder => ({
      ...order,
      ...effectOf(reduceOnly, closePosition),
      type: orderType,
    })),
);

/** The answers to cancellations. */
export const cancelledOrderAnswer = z.object({
  orderId: id,
  status: z.string().min(1),
  executedQty: neededByNobody,
});
export const cancelledAlgoAnswer = z.object({ algoId: id, code: z.string(), msg: optionalText });

/** An order as it appears in lists. */
export const listedOrderAnswer = z.object({ orderId: id, clientOrderId: z.string().catch("") });

export const positionsAnswer = rowsOf(
  z
    .object({
      symbol,
      // A LONG or SHORT row is half of a position. Taken for the whole, it would close the wrong amount.
      positionSide: z.literal("BOTH"),
      positionAmt: decimal,
      entryPrice: neededByNobody,
      markPrice: price,
      unRealizedProfit: neededByNobody,
      notional: neededByNobody,
      positionInitialMargin: neededByNobody,
      updateTime: timeMs.catch(0),
    })
    .transform((row): Position => ({
      symbol: row.symbol,
      positionAmt: row.positionAmt,
      entryPrice: row.entryPrice,
      markPrice: row.markPrice,
      unrealizedProfit: row.unRealizedProfit,
      leverage: leverageOf(row.notional, row.positionInitialMargin),
      updateTimeMs: row.updateTime,
    })),
);

/** Version 3 does not name it, but the initial margin is the notional divided by it. "" without a position. */
function leverageOf(notional: string, initialMargin: string): string {
  if (!(Number(initialMargin) > 0) || Number(notional) === 0) return "";
  return Big(notional).abs().div(initialMargin).toFixed(0);
}

export const tradesAnswer = rowsOf(
  z
    .object({ id, orderId: id, symbol, side, price, qty: decimal, time: timeMs })
    .transform(({ time, ...trade }): Trade => ({ ...trade, timeMs: time })),
);

const aboveZero = decimal.refine((amount) => Number(amount) > 0, "must be above 0");
/** A 0 sets no limit: the venue's other markets disable a rule that way. */
const limitOrNone = decimal.catch("0");
const filters = z.object({
  LOT_SIZE: z.object({ stepSize: aboveZero, minQty: decimal, maxQty: aboveZero }),
  MARKET_LOT_SIZE: z
    .object({ stepSize: limitOrNone, minQty: limitOrNone, maxQty: limitOrNone })
    .catch({ stepSize: "0", minQty: "0", maxQty: "0" }),
  // The venue exempts reduce-only orders, so a symbol without a minimum can still be closed.
  MIN_NOTIONAL: z.object({ notional: decimal }).catch({ notional: "0" }),
  PRICE_FILTER: z.object({ tickSize: neededByNobody }).catch({ tickSize: "" }),
});
const symbolInfo = z
  .object({
    symbol,
    status: z.string().catch(""),
    filters: z
      .array(z.looseObject({ filterType: z.string() }))
      .transform((list): unknown => Object.fromEntries(list.map((filter) => [filter.filterType, filter])))
      .pipe(filters),
  })
  .transform(({ symbol, status, filters }): SymbolRules => {
    const { LOT_SIZE, MARKET_LOT_SIZE, MIN_NOTIONAL, PRICE_FILTER } = filters;
    return {
      symbol,
      status,
      ...bothLots(LOT_SIZE, MARKET_LOT_SIZE),
      minNotional: MIN_NOTIONAL.notional,
      tickSize: PRICE_FILTER.tickSize,
    };
  });

/** A market order must keep to both filters, so the narrower limit counts. */
function bothLots(lot: Lot, market: Lot): Lot {
  const larger = (one: string, other: string) => (Big(one).gt(other) ? one : other);
  const isNarrower = Big(market.maxQty).gt(0) && Big(market.maxQty).lt(lot.maxQty);
  return {
    stepSize: larger(lot.stepSize, market.stepSize),
    minQty: larger(lot.minQty, market.minQty),
    maxQty: isNarrower ? market.maxQty : lot.maxQty,
  };
}
type Lot = Pick<SymbolRules, "stepSize" | "minQty" | "maxQty">;

export const rulesAnswer = z.object({
  symbols: rowsOf(symbolInfo),
  rateLimits: z.array(z.unknown()).catch([]),
});

/** Reads rows one by one, so that one bad row does not hide the others. */
function rowsOf<T>(row: z.ZodType<T>): z.ZodType<Rows<T>> {
  return z.array(z.unknown()).transform((list) => {
    const rows: T[] = [];
    const unreadable: Rows<T>["unreadable"][number][] = [];
    for (const item of list) {
      const parsed = row.safeParse(item);
      if (parsed.success) rows.push(parsed.data);
      else
        unreadable.push({
          symbol: z.object({ symbol }).safeParse(item).data?.symbol,
          problem: firstIssue(parsed.error),
        });
    }
    return { rows, unreadable };
  });
}

/** Where the answer is invalid, and how. */
export function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  return `unreadable answer at "${issue?.path.join(".") ?? ""}": ${issue?.message ?? ""}`;
}
