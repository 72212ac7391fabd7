/** The venue's endpoints, with its paths and answers. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import {
  acknowledgement,
  algoOrderAnswer,
  cancelledAlgoAnswer,
  orderAnswer,
  positionAnswer,
  positionInUseAnswer,
  symbolAnswer,
  tradeAnswer,
} from "./answers.ts";
import { authorize, checkApiKey, type Key } from "./auth.ts";
import { executionOf, type Fault } from "./faults.ts";
import type { Limits } from "./limits.ts";
import type { Query } from "./queries.ts";
import type { UserStream } from "./user-stream.ts";
import type { SimVenue } from "./venue.ts";
import { VenueError } from "./venue-error.ts";

/** What the answer to an order says: what became of it, or only that it was taken. */
export const ORDER_ANSWERS = ["result", "ack"] as const;
export type OrderAnswer = (typeof ORDER_ANSWERS)[number];

export interface VenueParts {
  readonly venue: SimVenue;
  readonly stream: UserStream;
  readonly limits: Limits;
  readonly key: Key;
  readonly now: () => number;
  readonly orderAnswer: OrderAnswer;
  readonly faultOf: (request: FastifyRequest) => Fault | undefined;
}

export function venueRoutes(scope: FastifyInstance, parts: VenueParts): void {
  marketRoutes(scope, parts);
  scope.register(async (signed) => accountRoutes(signed, parts));
  scope.register(async (keyed) => listenKeyRoutes(keyed, parts));
}

function marketRoutes(scope: FastifyInstance, { venue, limits, now }: VenueParts): void {
  scope.get("/fapi/v1/ping", async () => ({}));
  scope.get("/fapi/v1/time", async () => ({ serverTime: now() }));
  scope.get("/fapi/v1/exchangeInfo", async () => ({
    timezone: "UTC",
    serverTime: now(),
    rateLimits: limits.rateLimits(),
    symbols: venue.accounts().map((account) => symbolAnswer(account.spec)),
  }));
}

function accountRoutes(scope: FastifyInstance, parts: VenueParts): void {
  const { venue, limits, key, now } = parts;
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
  scope.get("/fapi/v1/accountConfig", async () => ({
    feeTier: 0,
    canTrade: true,
    canDeposit: true,
    canWithdraw: true,
    dualSidePosition: false,
    updateTime: 0,
    multiAssetsMargin: false,
    tradeGroupId: -1,
  }));
  scope.get("/fapi/v1/positionSide/dual", async () => ({ dualSidePosition: false }));
  scope.get("/fapi/v1/multiAssetsMargin", async () => ({ multiAssetsMargin: false }));
  scope.get("/fapi/v2/positionRisk", async (request) =>
    venue.positions(queryOf(request)["symbol"]).map(positionAnswer),
  );
  scope.get("/fapi/v3/positionRisk", async (request) =>
    venue.positionsInUse(queryOf(request)["symbol"]).map(positionInUseAnswer),
  );
  scope.get("/fapi/v1/openOrders", async (request) =>
    venue.openOrders(queryOf(request)["symbol"]).map(orderAnswer),
  );
  scope.get("/fapi/v1/openAlgoOrders", async (request) =>
    venue.openAlgoOrders(queryOf(request)["symbol"]).map(algoOrderAnswer),
  );
  scope.get("/fapi/v1/userTrades", async (request) => venue.trades(queryOf(request)).map(tradeAnswer));
  scope.get("/fapi/v1/allOrders", async (request) => venue.orders(queryOf(request)).map(orderAnswer));
  scope.get("/fapi/v1/order", async (request) => orderAnswer(venue.order(queryOf(request))));
  scope.post("/fapi/v1/order", async (request, reply) => {
    limits.admitOrder();
    const order = venue.place(queryOf(request), executionOf(parts.faultOf(request)));
    reply.headers(limits.orderHeaders());
    return parts.orderAnswer === "ack" ? acknowledgement(order) : orderAnswer(order);
  });
  cancelRoutes(scope, parts);
}

function cancelRoutes(scope: FastifyInstance, { venue, faultOf }: VenueParts): void {
  const isMetFirst = (request: FastifyRequest) => faultOf(request)?.kind === "met_first";
  scope.delete("/fapi/v1/order", async (request) => {
    const query = queryOf(request);
    if (isMetFirst(request)) venue.meet(query);
    return orderAnswer(venue.cancel(query));
  });
  scope.delete("/fapi/v1/algoOrder", async (request) => {
    const query = queryOf(request);
    if (isMetFirst(request)) venue.trigger(query);
    return cancelledAlgoAnswer(venue.cancelAlgo(query));
  });
}

function listenKeyRoutes(scope: FastifyInstance, { stream, key }: VenueParts): void {
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

/** As faults and counts name it: `METHOD /path`. */
export function endpointOf(request: FastifyRequest): string {
  return `${request.method} ${request.routeOptions.url ?? "unknown"}`;
}

const querySchema = z.record(z.string(), z.string());

export function queryOf(request: FastifyRequest): Query {
  const query = querySchema.safeParse(request.query);
  if (!query.success) throw new VenueError(-1101, "A parameter was sent twice.");
  return query.data;
}
