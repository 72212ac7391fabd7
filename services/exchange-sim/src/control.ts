/** The tester's routes, which show what the account's owner never sees. Ids are strings here. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { type Faults, faultSchema } from "./faults.ts";
import { type Limits, limitsSchema } from "./limits.ts";
import { symbolChanges } from "./market.ts";
import { orderControlRoutes } from "./order-control.ts";
import { FORCED_BY } from "./records.ts";
import type { UserStream } from "./user-stream.ts";
import type { SimVenue } from "./venue.ts";
import { VenueError } from "./venue-error.ts";

const strategyCommand = z.strictObject({ enabled: z.boolean() });
const banCommand = z.strictObject({ ms: z.int().min(0) });
const positionCommand = z
  .strictObject({
    symbol: z.string(),
    positionAmt: z.string().regex(/^-?\d+(\.\d+)?$/),
    traded: z.boolean(),
    /** Who trades it: somebody else with the account's keys, or the venue itself. */
    by: z.enum(["other", ...FORCED_BY]).optional(),
  })
  .refine(({ traded, by }) => traded || by === undefined, "nobody makes a change that is not traded");

export interface ControlledParts {
  readonly venue: SimVenue;
  readonly stream: UserStream;
  readonly limits: Limits;
  readonly faults: Faults;
  /** How many of each endpoint have arrived. */
  readonly requests: Readonly<Record<string, number>>;
}

export function controlRoutes(
  scope: FastifyInstance,
  { venue, stream, limits, faults, requests }: ControlledParts,
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
  scope.post("/sim/limits", async (request) => {
    const changes = z.looseObject({}).parse(request.body);
    limits.numbers = limitsSchema.parse({ ...limits.numbers, ...changes });
    return limits.numbers;
  });
  scope.post("/sim/ban", async (request) => {
    const { ms } = banCommand.parse(request.body);
    limits.ban(ms);
    return { ms };
  });
  orderControlRoutes(scope, venue);
  scope.post("/sim/symbols", async (request) => {
    const { symbol, ...changes } = symbolChanges.parse(request.body);
    const account = venue.account(symbol);
    account.change(changes);
    return account.spec;
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
  const usage = () => ({
    requests,
    limits: { ...limits.numbers, ...limits.seen, weightThisMinute: limits.weightThisMinute },
    streamSockets: stream.sockets,
  });
  // The part of the state that does not grow, for those who look often.
  scope.get("/sim/usage", async () => usage());
  scope.get("/sim/state", async () => ({
    symbols: venue.accounts().map((account) => account.spec),
    positions: venue.positions(),
    orders: venue.accounts().flatMap((account) => account.orders),
    algoOrders: venue.algoOrders.of(),
    trades: venue.accounts().flatMap((account) => account.trades),
    ...usage(),
  }));
}
