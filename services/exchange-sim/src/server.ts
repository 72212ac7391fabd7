import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance, FastifyRequest } from "fastify";
import Fastify from "fastify";
import { z } from "zod";
import { orderAnswer, positionAnswer, symbolAnswer, toJson, tradeAnswer } from "./answers.ts";
import { authorize, checkApiKey, type Key } from "./auth.ts";
import { after, before, executionOf, type Fault, Faults, faultSchema } from "./faults.ts";
import { DEFAULT_MARKET, type SymbolSpec } from "./market.ts";
import { FORCED_BY } from "./records.ts";
import { streamControlRoutes } from "./stream-control.ts";
import { UserStream, type UserStreamTimes } from "./user-stream.ts";
import { type Query, SimVenue } from "./venue.ts";
import { VenueError } from "./venue-error.ts";

export interface ExchangeSimOptions {
  readonly market?: readonly SymbolSpec[];
  /** The same seed gives the same prices and ids. */
  readonly seed?: number;
  /** Whether the simulated strategy reopens positions. */
  readonly strategy?: boolean;
  /** Added to every answer. */
  readonly latencyMs?: number;
  readonly apiKey?: string;
  readonly apiSecret?: string;
  /** The venue's clock, ms. */
  readonly now?: () => number;
  readonly streamTimes?: UserStreamTimes;
}

export interface ExchangeSim {
  /** Starts listening and returns the base URL. Port 0 picks a free port. */
  listen(address?: { port?: number; host?: string }): Promise<string>;
  /** Drops every connection, including held requests. */
  close(): Promise<void>;
  /** Empty until `listen`. */
  readonly url: string;
}

const LOOPBACK = "127.0.0.1";

/** A futures venue for development and tests, over real HTTP. */
export function createExchangeSim(options: ExchangeSimOptions = {}): ExchangeSim {
  const app = Fastify({ forceCloseConnections: true });
  registerExchangeSim(app, options);
  let url = "";
  return {
    listen: async ({ port = 0, host = LOOPBACK } = {}) => (url = await app.listen({ port, host })),
    close: () => app.close(),
    get url() {
      return url;
    },
  };
}

/** Only registers the routes, on a server that the caller runs. */
export function registerExchangeSim(app: FastifyInstance, options: ExchangeSimOptions): void {
  const now = options.now ?? Date.now;
  const key = { apiKey: options.apiKey ?? "sim-key", apiSecret: options.apiSecret ?? "sim-secret" };
  const venue = new SimVenue(
    options.market ?? DEFAULT_MARKET,
    options.seed ?? 1,
    options.strategy ?? true,
    now,
  );
  const stream = new UserStream(venue, options.seed ?? 1, options.streamTimes ?? {}, now);
  const faults = new Faults();
  const requests: Record<string, number> = {};

  app.server.on("upgrade", (request, socket, head) => stream.accept(request, socket, head));
  // Before the server waits for its connections to end.
  app.addHook("preClose", async () => stream.close());
  app.addHook("onClose", async () => venue.close());
  app.register(async (scope) => {
    const faultOf = meetFaults(scope, faults, requests, options.latencyMs ?? 0);
    scope.setReplySerializer(toJson);
    // Clients send the content type of a form even without a body. All parameters are in the URL.
    scope.addContentTypeParser("application/x-www-form-urlencoded", async () => null);
    scope.setErrorHandler((error, _request, reply) => {
      if (!(error instanceof VenueError)) throw error;
      if (error.retryAfterSec !== undefined) reply.header("retry-after", error.retryAfterSec);
      return reply.code(error.status).send({ code: error.code, msg: error.message });
    });
    marketRoutes(scope, venue, now);
    scope.register(async (signed) => accountRoutes(signed, venue, key, now, faultOf));
    scope.register(async (keyed) => listenKeyRoutes(keyed, stream, key));
  });
  app.register(async (scope) => {
    controlRoutes(scope, venue, stream, faults, requests);
    streamControlRoutes(scope, stream);
  });
}

/** Counts every request, delays it and applies faults. */
function meetFaults(
  scope: FastifyInstance,
  faults: Faults,
  requests: Record<string, number>,
  latencyMs: number,
): (request: FastifyRequest) => Fault | undefined {
  const met = new WeakMap<FastifyRequest, Fault>();
  scope.addHook("onRequest", async (request) => {
    const path = `${request.method} ${request.routeOptions.url ?? "unknown"}`;
    requests[path] = (requests[path] ?? 0) + 1;
    if (latencyMs > 0) await sleep(latencyMs);
    const fault = faults.take(path, queryOf(request)["symbol"]);
    if (!fault) return;
    met.set(request, fault);
    await before(fault, request);
  });
  scope.addHook("onSend", async (request, reply, body) => {
    const fault = met.get(request);
    return fault ? after(fault, request, reply, body) : body;
  });
  return (request) => met.get(request);
}

function marketRoutes(scope: FastifyInstance, venue: SimVenue, now: () => number): void {
  scope.get("/fapi/v1/ping", async () => ({}));
  scope.get("/fapi/v1/time", async () => ({ serverTime: now() }));
  scope.get("/fapi/v1/exchangeInfo", async () => ({
    timezone: "UTC",
    serverTime: now(),
    symbols: venue.accounts().map((account) => symbolAnswer(account.spec)),
  }));
}

function accountRoutes(
  scope: FastifyInstance,
  venue: SimVenue,
  key: Key,
  now: () => number,
  faultOf: (request: FastifyRequest) => Fault | undefined,
): void {
  scope.addHook("preHandler", async (request) => {
    authorize(
      {
        apiKey: apiKeyOf(request),
        queryString: request.url.split("?")[1] ?? "",
        query: queryOf(request),
      },
      key,
      now(),
    );
  });
  scope.get("/fapi/v1/positionSide/dual", async () => ({ dualSidePosition: false }));
  scope.get("/fapi/v2/positionRisk", async (request) =>
    venue.positions(queryOf(request)["symbol"]).map(positionAnswer),
  );
  scope.get("/fapi/v1/openOrders", async (request) =>
    venue.openOrders(queryOf(request)["symbol"]).map(orderAnswer),
  );
  scope.get("/fapi/v1/userTrades", async (request) => venue.trades(queryOf(request)).map(tradeAnswer));
  scope.get("/fapi/v1/allOrders", async (request) => venue.orders(queryOf(request)).map(orderAnswer));
  scope.get("/fapi/v1/order", async (request) => orderAnswer(venue.order(queryOf(request))));
  scope.post("/fapi/v1/order", async (request) =>
    orderAnswer(venue.place(queryOf(request), executionOf(faultOf(request)))),
  );
}

function listenKeyRoutes(scope: FastifyInstance, stream: UserStream, key: Key): void {
  scope.addHook("preHandler", async (request) => checkApiKey(apiKeyOf(request), key));
  scope.post("/fapi/v1/listenKey", async () => ({ listenKey: stream.listenKeys.start() }));
  scope.put("/fapi/v1/listenKey", async () => ({ listenKey: stream.listenKeys.extend() }));
  scope.delete("/fapi/v1/listenKey", async () => {
    stream.expireKey();
    return {};
  });
}

function apiKeyOf(request: FastifyRequest): string | undefined {
  const apiKey = request.headers["x-mbx-apikey"];
  return typeof apiKey === "string" ? apiKey : undefined;
}

const strategyCommand = z.strictObject({ enabled: z.boolean() });
const positionCommand = z
  .strictObject({
    symbol: z.string(),
    positionAmt: z.string().regex(/^-?\d+(\.\d+)?$/),
    traded: z.boolean(),
    /** Who trades it: somebody else with the account's keys, or the venue itself. */
    by: z.enum(["other", ...FORCED_BY]).optional(),
  })
  .refine(({ traded, by }) => traded || by === undefined, "nobody makes a change that is not traded");

/** The tester's routes, which show what the account's owner never sees. Ids are strings here. */
function controlRoutes(
  scope: FastifyInstance,
  venue: SimVenue,
  stream: UserStream,
  faults: Faults,
  requests: Record<string, number>,
): void {
  scope.setErrorHandler((error, _request, reply) => {
    if (error instanceof z.ZodError) return reply.code(400).send({ error: z.prettifyError(error) });
    if (error instanceof VenueError) return reply.code(error.status).send({ error: error.message });
    throw error;
  });
  scope.post("/sim/faults", async (request) => {
    const fault = faultSchema.parse(request.body);
    faults.add(fault);
    return fault;
  });
  scope.get("/sim/faults", async () => faults.pending());
  scope.delete("/sim/faults", async () => {
    faults.clear();
    return {};
  });
  scope.post("/sim/strategy", async (request) => {
    const { enabled } = strategyCommand.parse(request.body);
    venue.setStrategy(enabled);
    return { enabled };
  });
  scope.post("/sim/positions", async (request) => {
    const { symbol, positionAmt, traded, by = "other" } = positionCommand.parse(request.body);
    if (traded) venue.setPosition(symbol, positionAmt, by);
    else venue.setPositionUntraded(symbol, positionAmt);
    return venue.positions(symbol);
  });
  scope.get("/sim/state", async () => ({
    symbols: venue.accounts().map((account) => account.spec),
    positions: venue.positions(),
    orders: venue.accounts().flatMap((account) => account.orders),
    trades: venue.accounts().flatMap((account) => account.trades),
    requests,
    streamSockets: stream.sockets,
  }));
}

const querySchema = z.record(z.string(), z.string());

function queryOf(request: FastifyRequest): Query {
  const query = querySchema.safeParse(request.query);
  if (!query.success) throw new VenueError(-1101, "A parameter was sent twice.");
  return query.data;
}
