import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance, FastifyRequest } from "fastify";
import Fastify from "fastify";
import { toJson } from "./answers.ts";
import { controlRoutes } from "./control.ts";
import { after, before, type Fault, Faults } from "./faults.ts";
import { type LimitNumbers, Limits, NO_LIMITS, weightOf } from "./limits.ts";
import { DEFAULT_MARKET, type SymbolSpec } from "./market.ts";
import { endpointOf, type OrderAnswer, queryOf, venueRoutes } from "./routes.ts";
import { openState } from "./state.ts";
import { streamControlRoutes } from "./stream-control.ts";
import { UserStream, type UserStreamTimes } from "./user-stream.ts";
import { SimVenue } from "./venue.ts";
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
  /** Of requests and orders; none unless given. */
  readonly limits?: LimitNumbers;
  readonly orderAnswer?: OrderAnswer;
  /** Keeps the account over a restart. */
  readonly stateFile?: string | undefined;
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

/**
 * Only registers the routes, on a server that the caller runs.
 *
 * @throws ConfigError if the state file cannot be used
 */
export function registerExchangeSim(app: FastifyInstance, options: ExchangeSimOptions): void {
  const now = options.now ?? Date.now;
  const key = { apiKey: options.apiKey ?? "sim-key", apiSecret: options.apiSecret ?? "sim-secret" };
  const market = options.market ?? DEFAULT_MARKET;
  const state =
    options.stateFile === undefined
      ? undefined
      : openState(options.stateFile, new Set(market.map(({ symbol }) => symbol)));
  const venue = new SimVenue(market, options.seed ?? 1, options.strategy ?? true, now, state?.accounts);
  // Before the stream: nobody is told of what could be forgotten.
  state?.follow(venue);
  venue.resume();
  const stream = new UserStream(venue, options.seed ?? 1, options.streamTimes ?? {}, now);
  const limits = new Limits(options.limits ?? NO_LIMITS, now);
  const faults = new Faults();
  const requests: Record<string, number> = {};

  app.server.on("upgrade", (request, socket, head) => stream.accept(request, socket, head));
  // Before the server waits for its connections to end.
  app.addHook("preClose", async () => stream.close());
  app.addHook("onClose", async () => {
    venue.close();
    state?.close();
  });
  app.register(async (scope) => {
    countRequests(scope, requests, limits);
    const faultOf = meetFaults(scope, faults, options.latencyMs ?? 0, now);
    scope.setReplySerializer(toJson);
    // Clients send the content type of a form even without a body. All parameters are in the URL.
    scope.addContentTypeParser("application/x-www-form-urlencoded", async () => null);
    scope.setErrorHandler((error, _request, reply) => {
      if (!(error instanceof VenueError)) throw error;
      if (error.retryAfterSec !== undefined) reply.header("retry-after", error.retryAfterSec);
      return reply.code(error.status).send({ code: error.code, msg: error.message });
    });
    const { orderAnswer = "ack" } = options;
    venueRoutes(scope, { venue, stream, limits, key, now, orderAnswer, faultOf });
  });
  app.register(async (scope) => {
    controlRoutes(scope, { venue, stream, limits, faults, requests });
    streamControlRoutes(scope, stream);
  });
}

/** Counts every request, its weight too. Every answer tells the weight used, also one that refuses. */
function countRequests(scope: FastifyInstance, requests: Record<string, number>, limits: Limits): void {
  scope.addHook("onRequest", async (request, reply) => {
    const endpoint = endpointOf(request);
    requests[endpoint] = (requests[endpoint] ?? 0) + 1;
    try {
      limits.admit(request.ip, weightOf(endpoint, queryOf(request)["symbol"]));
    } finally {
      reply.header("x-mbx-used-weight-1m", limits.weightUsed(request.ip));
    }
  });
}

/** Delays every request and applies faults. */
function meetFaults(
  scope: FastifyInstance,
  faults: Faults,
  latencyMs: number,
  now: () => number,
): (request: FastifyRequest) => Fault | undefined {
  const met = new WeakMap<FastifyRequest, Fault>();
  scope.addHook("onRequest", async (request) => {
    if (latencyMs > 0) await sleep(latencyMs);
    const fault = faults.take(endpointOf(request), queryOf(request)["symbol"]);
    if (!fault) return;
    met.set(request, fault);
    await before(fault, request, now());
  });
  scope.addHook("onSend", async (request, reply, body) => {
    const fault = met.get(request);
    return fault ? after(fault, request, reply, body) : body;
  });
  return (request) => met.get(request);
}
