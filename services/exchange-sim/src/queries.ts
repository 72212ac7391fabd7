/** Which orders and trades a query asks for. Source: Binance, USDⓈ-M Futures, "All Orders" and "Account Trade List". */
import type { SimOrder, SimTrade } from "./records.ts";
import { invalid, VenueError } from "./venue-error.ts";

export type Query = Readonly<Record<string, string | undefined>>;

const LIMIT_DEFAULT = 500;
const LIMIT_MAX = 1000;
const DAY_MS = 24 * 3_600_000;
/** The longest span of a list, and the one that is listed without a start and an end. */
const SPAN_MAX_MS = 7 * DAY_MS;
/** Older trades and orders are not found. */
const LOOK_BACK_MS = 90 * DAY_MS;

/** Ascending by id: from `orderId`, or within a time span, or the most recent ones. */
export function ordersOf(orders: readonly SimOrder[], query: Query, nowMs: number): SimOrder[] {
  const fromId = wholeNumber(query, "orderId");
  const { startMs, endMs } = spanOf(query, nowMs);
  const limit = limitOf(query);
  if (fromId !== undefined) {
    return orders
      .filter(({ orderId, timeMs }) => BigInt(orderId) >= fromId && timeMs >= nowMs - LOOK_BACK_MS)
      .slice(0, limit);
  }
  return orders.filter(({ timeMs }) => timeMs >= startMs && timeMs <= endMs).slice(-limit);
}

/** Ascending by id. With `fromId` or `startTime` the first ones from there, else the most recent ones. */
export function tradesOf(trades: readonly SimTrade[], query: Query, nowMs: number): SimTrade[] {
  const fromId = wholeNumber(query, "fromId");
  const { startTime, endTime, orderId } = query;
  const { startMs, endMs } = spanOf(query, nowMs);
  const limit = limitOf(query);
  if (fromId !== undefined && (startTime !== undefined || endTime !== undefined)) {
    throw new VenueError(-1128, "Combination of optional parameters invalid.");
  }
  const asked = orderId === undefined ? trades : trades.filter((trade) => trade.orderId === orderId);
  // Callers usually ask for recent trades, so the searches start at the end.
  if (fromId === undefined && startTime === undefined) {
    const end = asked.findLastIndex(({ timeMs }) => timeMs <= endMs) + 1;
    return asked.slice(Math.max(0, end - limit), end).filter(({ timeMs }) => timeMs >= startMs);
  }
  const before = asked.findLastIndex(({ id, timeMs }) =>
    fromId === undefined ? timeMs < startMs : BigInt(id) < fromId || timeMs < nowMs - LOOK_BACK_MS,
  );
  const page = asked.slice(before + 1, before + 1 + limit);
  return fromId === undefined ? page.filter(({ timeMs }) => timeMs <= endMs) : page;
}

function limitOf(query: Query): number {
  const limit = Number(wholeNumber(query, "limit") ?? LIMIT_DEFAULT);
  if (limit < 1 || limit > LIMIT_MAX) throw invalid("limit");
  return limit;
}

/** What the venue does with only a start or only an end is not documented: the span is then as long as it may be. */
function spanOf(query: Query, nowMs: number): { startMs: number; endMs: number } {
  const start = wholeNumber(query, "startTime");
  const end = wholeNumber(query, "endTime");
  const endMs = Number(end ?? (start === undefined ? Infinity : Number(start) + SPAN_MAX_MS));
  const startMs = Number(start ?? (end === undefined ? nowMs : Number(end)) - SPAN_MAX_MS);
  if (endMs < startMs) throw new VenueError(-1023, "Start time is greater than end time.");
  if (start !== undefined && endMs - startMs > SPAN_MAX_MS) {
    throw new VenueError(-4165, "Maximum time interval is 7 days");
  }
  if (startMs < nowMs - LOOK_BACK_MS) {
    throw new VenueError(-4166, "Search window is restricted to recent 90 days only.");
  }
  return { startMs, endMs };
}

function wholeNumber(query: Query, name: string): bigint | undefined {
  const text = query[name];
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw invalid(name);
  return BigInt(text);
}
