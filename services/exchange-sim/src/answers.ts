import { Big } from "big.js";
import { LosslessNumber, stringify } from "lossless-json";
import { decimalsOf, lotOf, marketLotOf, PERCENT_PRICE, type SymbolSpec } from "./market.ts";
import type { SimAlgoOrder, SimOrder, SimPosition, SimTrade } from "./records.ts";

/** The maintenance margin's share of a position; on the venue it depends on the symbol and the size. */
const MAINTENANCE_SHARE = "0.0065";

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
    price: order.price,
    avgPrice: order.avgPrice,
    origQty: order.origQty,
    executedQty: order.executedQty,
    cumQty: order.executedQty,
    cumQuote: order.cumQuote,
    timeInForce: "GTC",
    type: order.type,
    reduceOnly: order.reduceOnly,
    closePosition: false,
    side: order.side,
    positionSide: "BOTH",
    stopPrice: "0.00",
    workingType: "CONTRACT_PRICE",
    priceProtect: false,
    origType: order.type,
    time: order.timeMs,
    updateTime: order.updateTimeMs,
  };
}

export function algoOrderAnswer(order: SimAlgoOrder) {
  return {
    algoId: new LosslessNumber(order.algoId),
    clientAlgoId: order.clientAlgoId,
    algoType: "CONDITIONAL",
    orderType: order.type,
    symbol: order.symbol,
    side: order.side,
    positionSide: "BOTH",
    timeInForce: "GTC",
    quantity: order.quantity,
    algoStatus: order.status,
    actualOrderId: order.actualOrderId,
    actualPrice: "0.00000",
    triggerPrice: order.triggerPrice,
    price: "0.000",
    icebergQuantity: null,
    tpTriggerPrice: "0.000",
    tpPrice: "0.000",
    slTriggerPrice: "0.000",
    slPrice: "0.000",
    tpOrderType: "",
    selfTradePreventionMode: "EXPIRE_MAKER",
    workingType: "CONTRACT_PRICE",
    priceMatch: "NONE",
    closePosition: order.closePosition,
    priceProtect: false,
    reduceOnly: order.reduceOnly,
    createTime: order.timeMs,
    updateTime: order.updateTimeMs,
    triggerTime: 0,
    goodTillDate: 0,
  };
}

export function cancelledAlgoAnswer({ algoId, clientAlgoId }: SimAlgoOrder) {
  return { algoId: new LosslessNumber(algoId), clientAlgoId, code: "200", msg: "success" };
}

/**
 * A bare acknowledgement: the order was taken, and what became of it comes by the stream. Without `avgPrice`, `cumQuote`
 * and `time`, as the venue has answered since 2026.
 */
export function acknowledgement(order: SimOrder) {
  const { avgPrice: _price, cumQuote: _quote, time: _time, ...rest } = orderAnswer(order);
  const nothing = Big(0).toFixed(decimalsOf(order.executedQty));
  return { ...rest, status: "NEW", executedQty: nothing, cumQty: nothing, updateTime: order.timeMs };
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

/** Of version 3, which has neither leverage nor margin type. */
export function positionInUseAnswer(position: SimPosition) {
  const notional = Big(position.positionAmt).times(position.markPrice);
  const initialMargin = notional.abs().div(position.leverage).toFixed(8);
  return {
    symbol: position.symbol,
    positionSide: "BOTH",
    positionAmt: position.positionAmt,
    entryPrice: position.entryPrice,
    breakEvenPrice: position.entryPrice,
    markPrice: position.markPrice,
    unRealizedProfit: position.unrealizedProfit,
    liquidationPrice: "0",
    isolatedMargin: "0",
    notional: notional.toFixed(8),
    marginAsset: "USDT",
    isolatedWallet: "0",
    initialMargin,
    maintMargin: notional.abs().times(MAINTENANCE_SHARE).toFixed(8),
    positionInitialMargin: initialMargin,
    openOrderInitialMargin: "0",
    adl: 1,
    bidNotional: "0",
    askNotional: "0",
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
  return {
    symbol: spec.symbol,
    contractType: "PERPETUAL",
    status: spec.status ?? "TRADING",
    quoteAsset: "USDT",
    pricePrecision: decimalsOf(spec.tickSize),
    quantityPrecision: decimalsOf(spec.stepSize),
    orderTypes: ["MARKET"],
    filters: [
      { filterType: "PRICE_FILTER", tickSize: spec.tickSize },
      { filterType: "LOT_SIZE", ...lotOf(spec) },
      { filterType: "MARKET_LOT_SIZE", ...marketLotOf(spec) },
      { filterType: "MIN_NOTIONAL", notional: spec.minNotional },
      {
        filterType: "PERCENT_PRICE",
        multiplierUp: Big(1).plus(PERCENT_PRICE).toFixed(4),
        multiplierDown: Big(1).minus(PERCENT_PRICE).toFixed(4),
        multiplierDecimal: "4",
      },
    ],
  };
}
