import { once } from "node:events";
import type { z } from "zod";
import {
  extendedKeyAnswer,
  firstIssue,
  hedgeModeAnswer,
  listedOrderAnswer,
  listenKeyAnswer,
  openOrdersAnswer,
  orderAnswer,
  placementAnswer,
  positionsAnswer,
  rulesAnswer,
  serverTimeAnswer,
  tradesAnswer,
} from "./answers.ts";
import { BinanceClient, failureOf } from "./binance-client.ts";
import { asksForPause, classifyError } from "./error-classes.ts";
import { NO_SUCH_LISTEN_KEY, NO_SUCH_ORDER, OUTSIDE_RECV_WINDOW } from "./error-codes.ts";
import type { Exchange, OrderRequest, Placement, Rows, Trade, TradeQuery } from "./port.ts";
import { PAUSE_SCOPES, type Pause, Pauses } from "./pauses.ts";
import { ExchangeError, isClosed } from "./port.ts";
import { everythingBetween, PAGE_ROWS } from "./pages.ts";
import { parseVenue } from "./venue.ts";

export interface BinanceOptions {
  /** Must have passed `parseVenue`. */
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly apiSecret: string;
  /** For a whole request, including its answer. Must be below `recvWindowMs`. */
  readonly timeoutMs: number;
  /** For reads. Orders bring their own. At most 60000. */
  readonly recvWindowMs: number;
  /** The venue's pauses, if they are shared with other services. */
  readonly pauses?: Pauses;
  /** Called for each row of an answer that cannot be read. `symbol` is undefined if it is unreadable too. */
  readonly onUnreadable?: (row: UnreadableRow) => void;
}

export interface UnreadableRow {
  readonly endpoint: RowsEndpoint;
  readonly symbol: string | undefined;
  readonly problem: string;
}

/** The endpoints that return rows. */
export const ROWS_ENDPOINTS = ["exchangeInfo", "openOrders", "positionRisk", "userTrades"] as const;
export type RowsEndpoint = (typeof ROWS_ENDPOINTS)[number];

const LISTEN_KEY = "fapi/v1/listenKey";
const RECV_WINDOW_MAX_MS = 60_000;
/** Binance's request limits are per minute. Without a Retry-After, a pause lasts this long. */
const RATE_LIMIT_WINDOW_MS = 60_000;
/** How long a failed request counts as a problem if no further request is made. */
const FAILURE_TELLS_MS = 10_000;

/** Binance USDⓈ-M Futures, one-way mode only. Has no timers or sockets that keep a process alive. */
export function createBinanceExchange(options: BinanceOptions): Exchange {
  const { timeoutMs, recvWindowMs } = options;
  if (!(recvWindowMs <= RECV_WINDOW_MAX_MS)) {
    throw new RangeError(`recvWindowMs=${recvWindowMs}: Binance allows ${RECV_WINDOW_MAX_MS} at most`);
  }
  if (!(timeoutMs > 0 && timeoutMs < recvWindowMs)) {
    throw new RangeError(
      `timeoutMs=${timeoutMs}: must be below recvWindowMs=${recvWindowMs}, or answers that arrive in time would be missed`,
    );
  }
  const client = new BinanceClient(parseVenue(options.baseUrl), options, timeoutMs, recvWindowMs);

  const pauses = options.pauses ?? new Pauses();
  /** The last request, if it got no usable answer. */
  let lastFailure: { message: string; atMs: number } | undefined;

  /** Makes one request and records a failure. Throws without a request during a pause. */
  async function ask<T>(schema: z.ZodType<T>, path: string, request: () => Promise<unknown>): Promise<T> {
    const pause = pauses.get("requests");
    if (pause !== undefined) throw new PausedError(pause);
    try {
      const answer = checked(schema, path, await Promise.race([request(), deadline(timeoutMs)]));
      lastFailure = undefined;
      return answer;
    } catch (error) {
      const failure = failureOf(error, client.now());
      const atMs = performance.now();
      // A venue that asks for a pause has answered. The pause is reported separately.
      lastFailure = asksForPause(failure) ? undefined : { message: failure.message, atMs };
      if (asksForPause(failure)) {
        pauses.ask("requests", {
          leftMs: failure.retryAfterMs ?? RATE_LIMIT_WINDOW_MS,
          reason: failure.message,
        });
      }
      throw failure;
    }
  }

  function read<T>(schema: z.ZodType<T>, path: string): Promise<T> {
    return ask(schema, path, () => client.get(path));
  }

  /** Reads are safe to repeat: if the venue rejects one because of our clock, set the clock and try once more. */
  async function readSigned<T>(schema: z.ZodType<T>, path: string, params: object = {}): Promise<T> {
    const request = () => client.getPrivate(path, params);
    try {
      return await ask(schema, path, request);
    } catch (error) {
      if (!(error instanceof ExchangeError && error.code === OUTSIDE_RECV_WINDOW)) throw error;
      await serverTime();
      return ask(schema, path, request);
    }
  }

  /** Reports unreadable rows. If the caller asked for one symbol, they are reported under that symbol. */
  function reported<T>(
    endpoint: RowsEndpoint,
    asked: string | undefined,
    { rows, unreadable }: Rows<T>,
  ): Rows<T> {
    const attributed = unreadable.map(({ symbol, problem }) => ({ symbol: asked ?? symbol, problem }));
    for (const row of attributed) options.onUnreadable?.({ endpoint, ...row });
    return { rows, unreadable: attributed };
  }

  async function serverTime(): Promise<number> {
    const askedAtMs = performance.now();
    const answer = await read(serverTimeAnswer, "fapi/v1/time");
    // The venue read its clock between our two readings. The midpoint is wrong by half of that interval at most.
    client.setClock(answer.serverTime, (askedAtMs + performance.now()) / 2);
    return answer.serverTime;
  }

  async function placeReduceOnlyMarket(request: OrderRequest): Promise<Placement> {
    const path = "fapi/v1/order";
    try {
      // Uses the generic call, because `submitNewOrder` prints a warning for every client order id without the vendor's
      // prefix.
      const answer = await ask(placementAnswer, path, () =>
        client.postStamped(path, request.timestampMs, {
          symbol: request.symbol,
          side: request.side,
          type: "MARKET",
          quantity: request.quantity,
          reduceOnly: "true",
          newClientOrderId: request.clientOrderId,
          newOrderRespType: "RESULT",
          recvWindow: request.recvWindowMs,
        }),
      );
      return acceptanceOf(answer, request);
    } catch (error) {
      const failure = failureOf(error, client.now());
      const placement = placementOf(failure);
      // This only helps the next order, so a failure here does not affect this one.
      if (placement.outcome === "expired") await serverTime().catch(() => undefined);
      if (placement.outcome === "retry_after" && !asksForPause(failure) && !(failure instanceof PausedError))
        pauses.ask("orders", { leftMs: placement.retryAfterMs, reason: placement.message });
      if (placement.outcome === "rejected" || placement.outcome === "already_placed") lastFailure = undefined;
      return placement;
    }
  }

  async function readTrades(symbol: string, params: object): Promise<Trade[]> {
    const path = "fapi/v1/userTrades";
    const answer = await readSigned(tradesAnswer, path, { symbol, ...params });
    const { rows, unreadable } = reported("userTrades", symbol, answer);
    if (unreadable[0] !== undefined) throw new ExchangeError(`${path}: ${symbol}: ${unreadable[0].problem}`);
    return [...rows];
  }

  async function findOrder<T>(schema: z.ZodType<T>, query: object): Promise<T | undefined> {
    try {
      return await readSigned(schema, "fapi/v1/order", query);
    } catch (error) {
      if (!(error instanceof ExchangeError && NO_SUCH_ORDER.has(error.code))) throw error;
      lastFailure = undefined;
      return undefined;
    }
  }

  async function extendListenKey(key: string): Promise<boolean> {
    try {
      const active = await ask(extendedKeyAnswer, LISTEN_KEY, () => client.put(LISTEN_KEY));
      return active.listenKey === undefined || active.listenKey === key;
    } catch (error) {
      if (!(error instanceof ExchangeError && error.code === NO_SUCH_LISTEN_KEY)) throw error;
      lastFailure = undefined;
      return false;
    }
  }

  return {
    now: () => client.now(),
    pause: (scope) => pauses.keeping(scope),
    problems: () => {
      for (const scope of PAUSE_SCOPES) {
        const pause = pauses.get(scope);
        if (pause !== undefined)
          return [`the exchange wants no ${scope} for ${Math.ceil(pause.leftMs / 1_000)} s: ${pause.reason}`];
      }
      if (lastFailure === undefined || performance.now() - lastFailure.atMs > FAILURE_TELLS_MS) return [];
      return [`the exchange gave no usable answer: ${lastFailure.message}`];
    },
    serverTime,
    rules: async () => {
      const { symbols } = await read(rulesAnswer, "fapi/v1/exchangeInfo");
      const { rows } = reported("exchangeInfo", undefined, symbols);
      return new Map(rows.map((rules) => [rules.symbol, rules]));
    },
    hedgeMode: async () => (await readSigned(hedgeModeAnswer, "fapi/v1/positionSide/dual")).dualSidePosition,
    positions: async (symbol) =>
      reported("positionRisk", symbol, await readSigned(positionsAnswer, "fapi/v2/positionRisk", { symbol })),
    openOrders: async (symbol) =>
      reported("openOrders", symbol, await readSigned(openOrdersAnswer, "fapi/v1/openOrders", { symbol })),
    trades: (symbol, query: TradeQuery = {}) =>
      readTrades(symbol, {
        orderId: query.orderId,
        fromId: query.fromId,
        startTime: query.startTimeMs,
        limit: query.limit,
      }),
    listenKey: async () => (await ask(listenKeyAnswer, LISTEN_KEY, () => client.post(LISTEN_KEY))).listenKey,
    extendListenKey,
    placeReduceOnlyMarket,
    order: (symbol, clientOrderId) => findOrder(orderAnswer, { symbol, origClientOrderId: clientOrderId }),
    orderById: (symbol, orderId) => findOrder(orderAnswer, { symbol, orderId }),
    clientOrderIdOf: async (symbol, orderId) =>
      (await findOrder(listedOrderAnswer, { symbol, orderId }))?.clientOrderId,
    ordersSince: async (symbol, sinceMs) =>
      everythingBetween(sinceMs, await serverTime(), (startTime, endTime) =>
        readSigned(listedOrderAnswer.array(), "fapi/v1/allOrders", {
          symbol,
          startTime,
          endTime,
          limit: PAGE_ROWS,
        }),
      ),
    tradesSince: async (symbol, sinceMs) =>
      everythingBetween(sinceMs, await serverTime(), (startTime, endTime) =>
        readTrades(symbol, { startTime, endTime, limit: PAGE_ROWS }),
      ),
  };
}

/** A request that was not made because of a pause. */
class PausedError extends ExchangeError {
  constructor({ leftMs, reason }: Pause) {
    super(`not asked: the exchange wants no requests for ${Math.ceil(leftMs / 1_000)} s: ${reason}`, {
      retryAfterMs: leftMs,
    });
  }
}

function placementOf(failure: ExchangeError): Placement {
  const { code, message } = failure;
  const outcome = failure instanceof PausedError ? "retry_after" : classifyError(failure);
  if (outcome === "already_placed") return { outcome };
  if (outcome === "rejected") return { outcome, code, message };
  if (outcome === "expired" || outcome === "unavailable") return { outcome, message };
  if (outcome === "retry_after") {
    return { outcome, retryAfterMs: failure.retryAfterMs ?? RATE_LIMIT_WINDOW_MS, message };
  }
  return { outcome, reason: message };
}

/** An answer that does not name the order belongs to it all the same: it answers its request. */
function acceptanceOf(
  { order, orderId, status, ...named }: z.output<typeof placementAnswer>,
  { symbol, clientOrderId }: OrderRequest,
): Placement {
  const isOther = (said: string, sent: string) => said !== "" && said !== sent;
  if (isOther(named.symbol, symbol) || isOther(named.clientOrderId, clientOrderId))
    return { outcome: "ambiguous", reason: "the answer speaks of another order" };
  if (order === undefined || !isClosed(order)) return { outcome: "acknowledged", orderId, status };
  return { outcome: "answered", order };
}

function checked<T>(schema: z.ZodType<T>, path: string, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new ExchangeError(`${path}: ${firstIssue(parsed.error)}`);
}

/** The client's own timeout restarts with every byte, so an answer that trickles in would never time out. */
async function deadline(timeoutMs: number): Promise<never> {
  await once(AbortSignal.timeout(timeoutMs), "abort");
  throw new ExchangeError(`no answer within ${timeoutMs} ms`);
}
