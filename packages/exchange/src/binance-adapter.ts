import type { z } from "zod";
import {
  accountConfigAnswer,
  cancelledAlgoAnswer,
  cancelledOrderAnswer,
  extendedKeyAnswer,
  hedgeModeAnswer,
  listedOrderAnswer,
  listenKeyAnswer,
  openAlgoOrdersAnswer,
  openOrdersAnswer,
  orderAnswer,
  placementAnswer,
  positionsAnswer,
  rulesAnswer,
  serverTimeAnswer,
  tradesAnswer,
} from "./answers.ts";
import { type BinanceOptions, checkTimes, type RowsEndpoint } from "./binance-options.ts";
import { BinanceClient, failureOf, type RawAnswer } from "./binance-client.ts";
import { Budget } from "./budget.ts";
import { cancelledAlgoOrder, cancelledOrder, uncancelled } from "./cancellation.ts";
import { asksForPause } from "./error-classes.ts";
import { NO_SUCH_LISTEN_KEY, NO_SUCH_ORDER, OUTSIDE_RECV_WINDOW } from "./error-codes.ts";
import { costOf, DOCUMENTED_LIMITS, type Endpoint, limitsOf, NOTHING, ORDER } from "./limits.ts";
import { Pauses } from "./pauses.ts";
import { PausedError } from "./not-asked.ts";
import { everythingBetween, PAGE_ROWS } from "./pages.ts";
import { acceptanceOf, placementOf } from "./placement.ts";
import type { Exchange, OrderRequest, Placement, Position, Rows, Trade, TradeQuery } from "./port.ts";
import { ExchangeError } from "./port.ts";
import type { RequestClass } from "./request-classes.ts";
import { Requests } from "./requests.ts";
import type { Cancellation } from "./resting-orders.ts";
import { parseVenue, type Venue } from "./venue.ts";

const LISTEN_KEY = "fapi/v1/listenKey";

/** Binance USDⓈ-M Futures, one-way mode only. Has no timers or sockets that keep a process alive. */
export function createBinanceExchange(options: BinanceOptions): Exchange {
  const { timeoutMs, recvWindowMs } = options;
  checkTimes(options);
  const venue = parseVenue(options.baseUrl);
  const client = new BinanceClient(venue, options, timeoutMs, recvWindowMs);
  const { pauses = new Pauses(), budget = new Budget() } = options;
  const requests = new Requests(client, pauses, budget, timeoutMs);
  return exchangeFor("vital", { ...options, venue, client, pauses, budget, requests });
}

interface Params {
  readonly symbol?: string | undefined;
  readonly [name: string]: string | number | undefined;
}

interface Connection extends Pick<BinanceOptions, "onUnreadable"> {
  readonly venue: Venue;
  readonly client: BinanceClient;
  readonly pauses: Pauses;
  readonly budget: Budget;
  readonly requests: Requests;
}

function exchangeFor(of: RequestClass | (() => RequestClass), connection: Connection): Exchange {
  const { venue, client, pauses, budget, requests, onUnreadable } = connection;

  /** The clock, the rules and the listen key: without them nothing works, so only the limit itself holds them back. */
  function askVital<T>(schema: z.ZodType<T>, path: Endpoint, request: () => Promise<RawAnswer>): Promise<T> {
    return requests.ask({ requestClass: "vital", cost: costOf(path), schema, path, request });
  }

  function read<T>(schema: z.ZodType<T>, path: Endpoint): Promise<T> {
    return askVital(schema, path, () => client.get(path));
  }

  const classNow = () => (typeof of === "function" ? of() : of);

  function readSigned<T>(schema: z.ZodType<T>, path: Endpoint, params: Params = {}): Promise<T> {
    return askSigned(schema, path, params, () => client.getPrivate(path, params));
  }

  /** For what is safe to repeat: if the venue rejects it because of our clock, the clock is set and it is asked once more. */
  async function askSigned<T>(
    schema: z.ZodType<T>,
    path: Endpoint,
    params: Params,
    request: () => Promise<RawAnswer>,
  ): Promise<T> {
    const query = { requestClass: classNow(), cost: costOf(path, params), schema, path, request };
    try {
      return await requests.ask(query);
    } catch (error) {
      if (!(error instanceof ExchangeError && error.code === OUTSIDE_RECV_WINDOW)) throw error;
      await serverTime();
      return requests.ask(query);
    }
  }

  /** Reports unreadable rows. If the caller asked for one symbol, they are reported under that symbol. */
  function reported<T>(
    endpoint: RowsEndpoint,
    asked: string | undefined,
    { rows, unreadable }: Rows<T>,
  ): Rows<T> {
    const attributed = unreadable.map(({ symbol, problem }) => ({ symbol: asked ?? symbol, problem }));
    for (const row of attributed) onUnreadable?.({ endpoint, ...row });
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
      const answer = await requests.ask({
        requestClass: "vital",
        // It was counted by `reserveOrder`, and weighs nothing.
        cost: NOTHING,
        schema: placementAnswer,
        path,
        request: () =>
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
      });
      return acceptanceOf(answer, request);
    } catch (error) {
      const failure = failureOf(error, client.now());
      const placement = placementOf(failure);
      // This only helps the next order, so a failure here does not affect this one.
      if (placement.outcome === "expired") await serverTime().catch(() => undefined);
      if (placement.outcome === "retry_after" && !asksForPause(failure) && !(failure instanceof PausedError))
        pauses.ask("orders", { leftMs: placement.retryAfterMs, reason: placement.message });
      if (placement.outcome === "rejected" || placement.outcome === "already_placed")
        requests.forgetFailure();
      return placement;
    }
  }

  async function cancel<T>(
    schema: z.ZodType<T>,
    path: Endpoint,
    params: Params,
    read: (answer: T) => Cancellation,
  ): Promise<Cancellation> {
    try {
      return read(await askSigned(schema, path, params, () => client.deletePrivate(path, params)));
    } catch (error) {
      const cancellation = uncancelled(failureOf(error, client.now()));
      if (cancellation.outcome === "gone") requests.forgetFailure();
      return cancellation;
    }
  }

  /** An exit's orders are counted, not refused. */
  const orderShortage = () => budget.shortage(classNow() === "exit" ? "exit" : "order", ORDER);

  async function readTrades(symbol: string, params: object): Promise<Trade[]> {
    const path = "fapi/v1/userTrades";
    const answer = await readSigned(tradesAnswer, path, { symbol, ...params });
    const { rows, unreadable } = reported("userTrades", symbol, answer);
    if (unreadable[0] !== undefined) throw new ExchangeError(`${path}: ${symbol}: ${unreadable[0].problem}`);
    return [...rows];
  }

  async function findOrder<T>(schema: z.ZodType<T>, query: Params): Promise<T | undefined> {
    try {
      return await readSigned(schema, "fapi/v1/order", query);
    } catch (error) {
      if (!(error instanceof ExchangeError && NO_SUCH_ORDER.has(error.code))) throw error;
      requests.forgetFailure();
      return undefined;
    }
  }

  async function extendListenKey(key: string): Promise<boolean> {
    try {
      const active = await askVital(extendedKeyAnswer, LISTEN_KEY, () => client.put(LISTEN_KEY));
      return active.listenKey === undefined || active.listenKey === key;
    } catch (error) {
      if (!(error instanceof ExchangeError && error.code === NO_SUCH_LISTEN_KEY)) throw error;
      requests.forgetFailure();
      return false;
    }
  }

  return {
    now: () => client.now(),
    pause: (scope) => pauses.keeping(scope),
    problems: () => requests.problems(),
    as: (other) => exchangeFor(other, connection),
    within: (weight, read) => requests.within(classNow(), weight, read),
    hasRoomForOrder: () => orderShortage() === undefined,
    reserveOrder: () => {
      if (orderShortage() !== undefined) return false;
      budget.spend(ORDER);
      return true;
    },
    serverTime,
    rules: async () => {
      const { symbols, rateLimits } = await read(rulesAnswer, "fapi/v1/exchangeInfo");
      // A simulator has the limits that it lists.
      budget.setLimits({ ...(venue.simulated ? {} : DOCUMENTED_LIMITS), ...limitsOf(rateLimits) });
      const { rows } = reported("exchangeInfo", undefined, symbols);
      return new Map(rows.map((rules) => [rules.symbol, rules]));
    },
    accountConfig: () => readSigned(accountConfigAnswer, "fapi/v1/accountConfig"),
    hedgeMode: async () => (await readSigned(hedgeModeAnswer, "fapi/v1/positionSide/dual")).dualSidePosition,
    positions: async (symbol) => {
      const answer = await readSigned(positionsAnswer, "fapi/v3/positionRisk", { symbol });
      return reported("positionRisk", symbol, symbol === undefined ? answer : onlyOf(symbol, answer));
    },
    openOrders: async (symbol) =>
      reported("openOrders", symbol, await readSigned(openOrdersAnswer, "fapi/v1/openOrders", { symbol })),
    openAlgoOrders: async (symbol) =>
      reported(
        "openAlgoOrders",
        symbol,
        await readSigned(openAlgoOrdersAnswer, "fapi/v1/openAlgoOrders", { symbol }),
      ),
    cancelOrder: (symbol, orderId) =>
      cancel(cancelledOrderAnswer, "fapi/v1/order", { symbol, orderId }, (answer) =>
        cancelledOrder(orderId, answer),
      ),
    // The venue takes no symbol here.
    cancelAlgoOrder: (_symbol, algoId) =>
      cancel(cancelledAlgoAnswer, "fapi/v1/algoOrder", { algoId }, (answer) =>
        cancelledAlgoOrder(algoId, answer),
      ),
    trades: (symbol, query: TradeQuery = {}) =>
      readTrades(symbol, {
        orderId: query.orderId,
        fromId: query.fromId,
        startTime: query.startTimeMs,
        limit: query.limit,
      }),
    listenKey: async () =>
      (await askVital(listenKeyAnswer, LISTEN_KEY, () => client.post(LISTEN_KEY))).listenKey,
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

/** An answer about other symbols does not say that this one is flat. */
function onlyOf(symbol: string, { rows, unreadable }: Rows<Position>): Rows<Position> {
  const others = rows.filter((row) => row.symbol !== symbol);
  const strays = others.map((row) => ({
    symbol,
    problem: `a row of ${row.symbol}, which was not asked for`,
  }));
  return { rows: rows.filter((row) => row.symbol === symbol), unreadable: [...unreadable, ...strays] };
}
