/**
 * The tester's routes to what waits at the venue: orders that somebody else with the account's keys has placed, and what the
 * market does to them.
 */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ALGO_TYPES } from "./records.ts";
import type { SimVenue } from "./venue.ts";

const positive = z
  .string()
  .regex(/^\d+(\.\d+)?$/, "must be a plain decimal")
  .refine((value) => Number(value) > 0, "must be above 0");
const common = {
  symbol: z.string(),
  side: z.enum(["BUY", "SELL"]),
  reduceOnly: z.boolean().default(false),
};
/** Waits in the book; at the mark price if none is given. */
const limitOrder = z.strictObject({
  ...common,
  type: z.literal("LIMIT"),
  quantity: positive,
  price: positive.optional(),
});
/** Without a quantity it closes the whole position. The trigger price is the mark price if none is given. */
const algoOrder = z.strictObject({
  ...common,
  type: z.enum(ALGO_TYPES),
  quantity: positive.optional(),
  triggerPrice: positive.optional(),
});
const placement = z.discriminatedUnion("type", [limitOrder, algoOrder]);
const meeting = z.union([
  z.strictObject({ symbol: z.string(), orderId: z.string() }),
  z.strictObject({ algoId: z.string() }),
]);

export function orderControlRoutes(scope: FastifyInstance, venue: SimVenue): void {
  scope.post("/sim/orders", async (request) => {
    const order = placement.parse(request.body);
    if (order.type === "LIMIT") return venue.rest({ ...order, price: order.price });
    const { quantity, triggerPrice, ...terms } = order;
    return venue.restAlgo({
      ...terms,
      quantity: quantity ?? "0",
      closePosition: quantity === undefined,
      triggerPrice,
    });
  });
  /** The market meets an order: it is filled, or triggers. */
  scope.post("/sim/fills", async (request) => {
    const met = meeting.parse(request.body);
    return "algoId" in met ? venue.trigger(met) : venue.meet(met);
  });
}
