/**
 * Events of the user data stream as Binance writes them, with the fields that were seen in 2026. Decimals are strings
 * without padding, other than in answers: `0.05` here, `0.050` there.
 */
import { Big } from "big.js";
import { LosslessNumber } from "lossless-json";
import { toJson } from "./answers.ts";
import type { SimAlgoOrder, SimOrder, SimPosition, SimTrade } from "./records.ts";

export const STREAM_EVENT_TYPES = [
  "ORDER_TRADE_UPDATE",
  "ACCOUNT_UPDATE",
  "ALGO_UPDATE",
  "listenKeyExpired",
] as const;
export type StreamEventType = (typeof STREAM_EVENT_TYPES)[number];

export interface StreamEvent {
  readonly type: StreamEventType;
  readonly symbol?: string;
  readonly json: string;
}

/** What a taker pays of what it trades. */
const FEE_RATE = "0.0005";
const FEE_DECIMALS = 8;
/** Why an order expired: the book could not fill it, or there was no more position to reduce. */
const EXPIRED_BY_BOOK = "9";
const EXPIRED_BY_REDUCE_ONLY = "4";

export function feeOf(trade: SimTrade): Big {
  return Big(trade.price).times(trade.qty).times(FEE_RATE).round(FEE_DECIMALS);
}

/** With `trade`: of this trade. Without: accepted, cancelled, or expired with a part unfilled. */
export function orderEvent(order: SimOrder, trade: SimTrade | undefined, nowMs: number): StreamEvent {
  const timeMs = trade?.timeMs ?? order.updateTimeMs;
  const { timeInForce, type } = termsOf(order);
  const json = toJson({
    e: "ORDER_TRADE_UPDATE",
    T: timeMs,
    E: nowMs,
    o: {
      s: order.symbol,
      c: order.clientOrderId,
      S: order.side,
      o: type,
      f: timeInForce,
      q: plain(order.origQty),
      p: plain(order.price),
      ap: plain(order.avgPrice),
      sp: "0",
      x: executionOf(order, trade),
      X: order.status,
      i: new LosslessNumber(order.orderId),
      l: trade ? plain(trade.qty) : "0",
      z: plain(order.executedQty),
      L: trade ? plain(trade.price) : "0",
      // Absent where nothing was traded.
      ...(trade ? { n: feeOf(trade).toFixed(), N: "USDT" } : {}),
      T: timeMs,
      t: trade ? new LosslessNumber(trade.id) : 0,
      b: "0",
      a: "0",
      m: false,
      R: order.reduceOnly,
      wt: "CONTRACT_PRICE",
      ot: type,
      ps: "BOTH",
      cp: false,
      rp: trade?.realizedProfit ?? "0",
      pP: false,
      si: 0,
      ss: 0,
      V: "EXPIRE_MAKER",
      pm: "NONE",
      gtd: 0,
      er: expiryReasonOf(order),
    },
  });
  return { type: "ORDER_TRADE_UPDATE", symbol: order.symbol, json };
}

/** Placed, cancelled or triggered. Of the order that it becomes, an ordinary event tells. */
export function algoEvent(order: SimAlgoOrder, nowMs: number): StreamEvent {
  const json = toJson({
    e: "ALGO_UPDATE",
    T: order.updateTimeMs,
    E: nowMs,
    o: {
      caid: order.clientAlgoId,
      aid: new LosslessNumber(order.algoId),
      at: "CONDITIONAL",
      o: order.type,
      s: order.symbol,
      S: order.side,
      ps: "BOTH",
      f: "GTC",
      q: plain(order.quantity),
      X: order.status,
      ai: order.actualOrderId,
      tp: plain(order.triggerPrice),
      p: "0",
      V: "EXPIRE_MAKER",
      wt: "CONTRACT_PRICE",
      pm: "NONE",
      cp: order.closePosition,
      pP: false,
      R: order.reduceOnly,
      tt: 0,
      gtd: 0,
      rm: order.status === "REJECTED" ? "Reduce Only reject" : "",
    },
  });
  return { type: "ALGO_UPDATE", symbol: order.symbol, json };
}

export interface AccountState {
  readonly position: SimPosition;
  /** The symbol's, by all trades so far, before fees. */
  readonly realizedProfit: Big;
  /** Undefined if no balance changed. */
  readonly wallet: Big | undefined;
}

export function accountEvent(
  { position, realizedProfit, wallet }: AccountState,
  timeMs: number,
  nowMs: number,
): StreamEvent {
  const balance = wallet?.toFixed();
  const json = toJson({
    e: "ACCOUNT_UPDATE",
    T: timeMs,
    E: nowMs,
    a: {
      B: balance === undefined ? [] : [{ a: "USDT", wb: balance, cw: balance, bc: "0" }],
      P: [
        {
          s: position.symbol,
          pa: plain(position.positionAmt),
          ep: plain(position.entryPrice),
          cr: realizedProfit.toFixed(),
          up: plain(position.unrealizedProfit),
          mt: "cross",
          iw: "0",
          ps: "BOTH",
          ma: "USDT",
          bep: plain(position.entryPrice),
        },
      ],
      m: wallet === undefined ? "ADJUSTMENT" : "ORDER",
    },
  });
  return { type: "ACCOUNT_UPDATE", symbol: position.symbol, json };
}

/** The only event whose time is text. */
export function expiredEvent(listenKey: string, nowMs: number): StreamEvent {
  return {
    type: "listenKeyExpired",
    json: toJson({ e: "listenKeyExpired", E: String(nowMs), listenKey }),
  };
}

function executionOf(order: SimOrder, trade: SimTrade | undefined): string {
  if (trade === undefined) return order.status;
  return order.origin === "liquidation" || order.origin === "adl" ? "CALCULATED" : "TRADE";
}

function termsOf({ origin, type }: SimOrder): { timeInForce: string; type: string } {
  return origin === "liquidation" || origin === "adl"
    ? { timeInForce: "IOC", type: "LIQUIDATION" }
    : { timeInForce: "GTC", type };
}

function expiryReasonOf({ status, reduceOnly, executedQty }: SimOrder): string {
  if (status !== "EXPIRED") return "0";
  return reduceOnly && Big(executedQty).eq(0) ? EXPIRED_BY_REDUCE_ONLY : EXPIRED_BY_BOOK;
}

function plain(decimal: string): string {
  return Big(decimal).toFixed();
}
