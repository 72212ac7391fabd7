/** Orders in doubt, and an operator's statement of what became of one. */
import { orderRecord, outcomeOfOrder, readableFields, type Texts } from "@quantum/contract";
import type { Place } from "./place.ts";
import { lookFor, type Sought } from "./look-for.ts";

/** The executor asks at once, or once its question under way has ended: pause, lease and a request. */
export const ACTS_WITHIN_MS = 20_000;

/** An order whose outcome nobody knows yet. */
export interface Doubt {
  planId: string;
  sinceMs: number;
}

export async function readDoubts(place: Place, symbol: string): Promise<Doubt[]> {
  const planIds = await place.redis.smembers(place.keys.unknown(symbol));
  return Promise.all(
    planIds.toSorted().map(async (planId) => {
      const order = await readOrder(place, planId);
      return { planId, sinceMs: Number(order.unknown_at_ms ?? 0) };
    }),
  );
}

/** What of a plan's order can be read; empty without one. */
export async function readOrder({ redis, keys }: Place, planId: string): Promise<Texts<typeof orderRecord>> {
  return readableFields(orderRecord, await redis.hgetall(keys.order(planId))).fields;
}

export interface EndOfDoubt {
  /** The order's outcome; null if its key is gone. */
  state: string | null;
  executedQty: string;
}

/** Looks for {@link ACTS_WITHIN_MS}. @param place of the plan */
export async function awaitEndOfDoubt(place: Place, planId: string): Promise<Sought<EndOfDoubt>> {
  return lookFor(async () => {
    const order = await readOrder(place, planId);
    const state = order.state === undefined ? null : outcomeOfOrder(order.state);
    return state === "UNKNOWN" ? undefined : { state, executedQty: order.executed_qty ?? "" };
  }, ACTS_WITHIN_MS);
}
