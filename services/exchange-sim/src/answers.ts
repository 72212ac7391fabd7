import { LosslessNumber, stringify } from "lossless-json";
import type { SymbolSpec } from "./market.ts";
import { decimalsOf } from "./market.ts";
import type { SimOrder, SimPosition, SimTrade } from "./records.ts";
import { maxQtyOf } from "./venue.ts";

/** JSON in which long ids are numbers with all digits, as Binance writes them. */
export function toJson(answer: unknown): string {
  return stringify(answer) ?? "null";
}

export function orderAnswer(order: SimOrder) {
  return {
    orderId: new LosslessNumber(order.orderId),
    symbol: order.symbol,
    status: order.status,
    clientOrderId: order.clientOrderId,
    price: "0.00",
    avgPrice: order.avgPrice,
    origQty: order.origQty,
    executedQty: order.executedQty,
    cumQty: order.executedQty,
    cumQuote: order.cumQuote,
    timeInForce: "GTC",
    type: "MARKET",
    reduceOnly: order.reduceOnly,
    closePosition: false,
    side: order.side,
    positionSide: "BOTH",
    stopPrice: "0.00",
    workingType: "CONTRACT_PRICE",
    priceProtect: false,
    origType: "MARKET",
    time: order.timeMs,
    updateTime: order.updateTimeMs,
  };
}

export function positionAnswer(position: SimPosition) {
  return {
    symbol: position.symbol,
    positionAmt: position.positionAmt,
    entryPrice: position.entryPrice,
    markPrice: position.markPrice,
    unRealizedProfit: position.unrealizedProfit,
    liquidationPrice: "0",
    leverage: position.leverage,
    marginType: "cross",
    isolatedMargin: "0.00000000",
    isAutoAddMargin: "false",
    positionSide: "BOTH",
    updateTime: position.updateTimeMs,
  };
}

export function tradeAnswer(trade: SimTrade) {
  return {
    symbol: trade.symbol,
    id: new LosslessNumber(trade.id),
    orderId: new LosslessNumber(trade.orderId),
    side: trade.side,
    price: trade.price,
    qty: trade.qty,
    positionSide: "BOTH",
    buyer: trade.side === "BUY",
    maker: false,
    time: trade.timeMs,
  };
}

export function symbolAnswer(spec: SymbolSpec) {
  const lot = { stepSize: spec.stepSize, minQty: spec.minQty, maxQty: maxQtyOf(spec) };
  return {
    symbol: spec.symbol,
    contractType: "PERPETUAL",
    status: "TRADING",
    quoteAsset: "USDT",
    pricePrecision: decimalsOf(spec.tickSize),
    quantityPrecision: decimalsOf(spec.stepSize),
    orderTypes: ["MARKET"],
    filters: [
      { filterType: "PRICE_FILTER", tickSize: spec.tickSize },
      { filterType: "LOT_SIZE", ...lot },
      { filterType: "MARKET_LOT_SIZE", ...lot },
      { filterType: "MIN_NOTIONAL", notional: spec.minNotional },
    ],
  };
}
