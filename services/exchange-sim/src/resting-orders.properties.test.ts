/** Whatever waits, is cancelled, filled or triggered: the position is what the trades say, and reduce-only means it. */
import { Big } from "big.js";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { DEFAULT_MARKET } from "./market.ts";
import type { SimTrade } from "./records.ts";
import { SimVenue } from "./venue.ts";
import { VenueError } from "./venue-error.ts";

const SYMBOL = "BTCUSDT";
const STEP = "0.001";

const what = fc.constantFrom(
  "market",
  "rest",
  "stop",
  "close all",
  "cancel",
  "meet",
  "cancel algo",
  "trigger",
);
const action = fc.record({
  what,
  side: fc.constantFrom("BUY" as const, "SELL" as const),
  reduceOnly: fc.boolean(),
  steps: fc.integer({ min: 1, max: 100 }),
  /** Which of those that have been placed. */
  pick: fc.nat({ max: 9 }),
});
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

function run(venue: SimVenue, { what, side, reduceOnly, steps, pick }: Action): void {
  const quantity = Big(STEP).times(steps).toFixed(3);
  const account = venue.account(SYMBOL);
  const terms = { symbol: SYMBOL, side, reduceOnly };
  const algo = { ...terms, type: "STOP_MARKET" as const, triggerPrice: undefined };
  const named = { symbol: SYMBOL, orderId: account.orders.at(pick)?.orderId ?? "0" };
  const algoNamed = { algoId: venue.algoOrders.of().at(pick)?.algoId ?? "0" };
  switch (what) {
    case "market":
      venue.place({ ...terms, type: "MARKET", quantity, reduceOnly: String(reduceOnly) }, "at_once");
      break;
    case "rest":
      venue.rest({ ...terms, quantity, price: undefined });
      break;
    case "stop":
      venue.restAlgo({ ...algo, quantity, closePosition: false });
      break;
    case "close all":
      venue.restAlgo({ ...algo, reduceOnly: false, quantity: "0", closePosition: true });
      break;
    case "cancel":
      venue.cancel(named);
      break;
    case "meet":
      venue.meet(named);
      break;
    case "cancel algo":
      venue.cancelAlgo(algoNamed);
      break;
    case "trigger":
      venue.trigger(algoNamed);
  }
}

const signed = ({ side, qty }: SimTrade) => (side === "BUY" ? Big(qty) : Big(qty).times(-1));

it("an account with orders that wait holds what its trades add up to, and reduce-only orders never open", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), fc.integer(), (actions, seed) => {
      const venue = new SimVenue(DEFAULT_MARKET, seed, false, () => 1_769_301_008_977);
      for (const next of actions) {
        try {
          run(venue, next);
        } catch (error) {
          if (!(error instanceof VenueError)) throw error;
        }
      }
      const { amount, orders, trades } = venue.account(SYMBOL);
      const reducing = new Set(orders.filter(({ reduceOnly }) => reduceOnly).map(({ orderId }) => orderId));
      let position = Big(0);
      for (const trade of trades) {
        const after = position.plus(signed(trade));
        const isReduced = after.times(position).gte(0) && after.abs().lt(position.abs());
        expect(isReduced || !reducing.has(trade.orderId)).toBe(true);
        position = after;
      }
      expect(position.toFixed()).toBe(amount.toFixed());
      for (const { executedQty } of orders.filter(({ status }) => status === "CANCELED"))
        expect(Number(executedQty)).toBe(0);
      venue.close();
    }),
  );
});
