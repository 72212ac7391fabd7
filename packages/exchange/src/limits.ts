/**
 * The venue's limits, what each request counts for, and how its answers tell what it has counted.
 *
 * Source: Binance, USDⓈ-M Futures, "General Info" (Limits), and "Request Weight" on the page of each endpoint, as of
 * October 2026. Spot documents that a window begins with each whole minute or ten seconds of the venue's clock; Futures
 * documents no other rule.
 */
import { z } from "zod";

const SEC = 1_000;
export const WINDOWS_MS = { weight_1m: 60 * SEC, orders_1m: 60 * SEC, orders_10s: 10 * SEC } as const;
/** `weight_1m` is counted for an IP address, orders for an account. */
export type LimitKind = keyof typeof WINDOWS_MS;
export const LIMIT_KINDS = Object.keys(WINDOWS_MS) as readonly LimitKind[];

/** A number for each kind; a missing one is unknown. */
type Counts = Readonly<Partial<Record<LimitKind, number>>>;
export type Limits = Counts;
/** What one request adds. */
export type Cost = Counts;

/** A new order weighs nothing. It is counted for the account. */
export const ORDER: Cost = { orders_1m: 1, orders_10s: 1 };
export const NOTHING: Cost = {};

const WEIGHTS = {
  "fapi/v1/time": 1,
  "fapi/v1/exchangeInfo": 1,
  "fapi/v1/listenKey": 1,
  "fapi/v1/order": 1,
  "fapi/v1/algoOrder": 1,
  "fapi/v1/openOrders": 1,
  "fapi/v1/openAlgoOrders": 1,
  "fapi/v1/allOrders": 5,
  "fapi/v1/userTrades": 5,
  "fapi/v2/positionRisk": 5,
  "fapi/v3/positionRisk": 5,
  // Its page could not be read; not less than those of its kind.
  "fapi/v1/accountConfig": 5,
  "fapi/v1/positionSide/dual": 30,
} as const;
export type Endpoint = keyof typeof WEIGHTS;
/** The same for both lists of what is open. */
const OPEN_OF_ALL_SYMBOLS = 40;
const LISTS_OF_OPEN: ReadonlySet<Endpoint> = new Set(["fapi/v1/openOrders", "fapi/v1/openAlgoOrders"]);

/** What the requests weigh of which readings of the account consist. */
export const READING_WEIGHTS = {
  positions: WEIGHTS["fapi/v3/positionRisk"],
  openOrders: WEIGHTS["fapi/v1/openOrders"],
  openOrdersOfAll: OPEN_OF_ALL_SYMBOLS,
  trades: WEIGHTS["fapi/v1/userTrades"],
} as const;

/** What a query adds, by the parameters that change it. */
export function costOf(endpoint: Endpoint, { symbol }: { symbol?: string | undefined } = {}): Cost {
  const isOfAll = LISTS_OF_OPEN.has(endpoint) && symbol === undefined;
  return { weight_1m: isOfAll ? OPEN_OF_ALL_SYMBOLS : WEIGHTS[endpoint] };
}

/** What the venue grants to everyone; an account may have more. Used for a kind that `exchangeInfo` does not list. */
export const DOCUMENTED_LIMITS: Limits = { weight_1m: 2_400, orders_1m: 1_200, orders_10s: 300 };

const NAMES: Readonly<Record<string, LimitKind>> = {
  "REQUEST_WEIGHT 1 MINUTE": "weight_1m",
  "ORDERS 1 MINUTE": "orders_1m",
  "ORDERS 10 SECOND": "orders_10s",
};

const rateLimit = z.object({
  rateLimitType: z.string(),
  intervalNum: z.string(),
  interval: z.string(),
  limit: z
    .string()
    .regex(/^[1-9]\d*$/)
    .transform(Number),
});

/** `rateLimits` of `exchangeInfo`, without what cannot be read. The smallest of several counts. */
export function limitsOf(rateLimits: readonly unknown[]): Limits {
  const limits: Partial<Record<LimitKind, number>> = {};
  for (const row of rateLimits) {
    const { data } = rateLimit.safeParse(row);
    const kind = data && NAMES[`${data.rateLimitType} ${data.intervalNum} ${data.interval}`];
    if (kind !== undefined) limits[kind] = Math.min(limits[kind] ?? Infinity, data?.limit ?? Infinity);
  }
  return limits;
}

const HEADERS: Readonly<Record<LimitKind, string>> = {
  weight_1m: "x-mbx-used-weight-1m",
  orders_1m: "x-mbx-order-count-1m",
  orders_10s: "x-mbx-order-count-10s",
};

/**
 * What the venue has counted, by the headers of an answer. Every answer tells the weight; only those to orders tell
 * their count, and not all of them.
 */
export function countsOf(headerOf: (name: string) => unknown): Counts {
  const counts: Partial<Record<LimitKind, number>> = {};
  for (const kind of LIMIT_KINDS) {
    const text = headerOf(HEADERS[kind]);
    if (typeof text === "string" && /^\d{1,9}$/.test(text)) counts[kind] = Number(text);
  }
  return counts;
}
