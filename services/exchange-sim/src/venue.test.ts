import { Big } from "big.js";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULT_MARKET, type SymbolSpec } from "./market.ts";
import { type Execution, SimVenue } from "./venue.ts";
import { VenueError } from "./venue-error.ts";

const SYMBOLS = DEFAULT_MARKET.map((spec) => spec.symbol);

/** One request of a random run. Quantities are in steps, so that all are valid. */
const action = fc.record({
  symbol: fc.constantFrom(...SYMBOLS),
  side: fc.constantFrom("BUY", "SELL"),
  reduceOnly: fc.boolean(),
  steps: fc.integer({ min: 1, max: 5000 }),
  execution: fc.constantFrom<Execution>("at_once", "half", { lateMs: 60_000 }),
  clientOrderId: fc.constantFrom("a", "b", "c"),
});
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

function run(venue: SimVenue, { symbol, side, reduceOnly, steps, execution, clientOrderId }: Action): void {
  const { spec } = venue.account(symbol);
  const query = {
    symbol,
    side,
    type: "MARKET",
    quantity: Big(spec.stepSize).times(steps).toFixed(),
    reduceOnly: String(reduceOnly),
    newClientOrderId: clientOrderId,
  };
  try {
    venue.place(query, execution);
  } catch (error) {
    if (!(error instanceof VenueError)) throw error;
  }
}

function tradedSum(venue: SimVenue, symbol: string): Big {
  return venue
    .account(symbol)
    .trades.reduce(
      (sum, trade) => (trade.side === "BUY" ? sum.plus(trade.qty) : sum.minus(trade.qty)),
      Big(0),
    );
}

function started(strategy: boolean, seed = 1, market: readonly SymbolSpec[] = DEFAULT_MARKET): SimVenue {
  let nowMs = 1_769_301_008_977;
  return new SimVenue(market, seed, strategy, () => (nowMs += 10));
}

describe("the simulated account", () => {
  it("holds at every moment what its trades add up to", () => {
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 60 }),
        fc.boolean(),
        fc.integer(),
        (actions, strategy, seed) => {
          const venue = started(strategy, seed);
          for (const next of actions) run(venue, next);
          for (const { symbol, positionAmt } of venue.positions()) {
            expect(tradedSum(venue, symbol).toFixed()).toBe(Big(positionAmt).toFixed());
          }
          venue.close();
        },
      ),
    );
  });

  it("explains every executed quantity by the order's trades", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const venue = started(true);
        for (const next of actions) run(venue, next);
        for (const account of venue.accounts()) {
          for (const order of account.orders) {
            const trades = account.trades.filter((trade) => trade.orderId === order.orderId);
            const traded = trades.reduce((sum, trade) => sum.plus(trade.qty), Big(0));
            expect(traded.toFixed()).toBe(Big(order.executedQty).toFixed());
            expect(Big(order.executedQty).lte(order.origQty)).toBe(true);
          }
        }
        venue.close();
      }),
    );
  });

  it("is never turned over by a reduce-only order", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const venue = started(false);
        for (const next of actions) {
          const before = venue.account(next.symbol).amount;
          run(venue, { ...next, reduceOnly: true });
          const after = venue.account(next.symbol).amount;
          expect(after.abs().lte(before.abs())).toBe(true);
          expect(after.times(before).gte(0)).toBe(true);
        }
        venue.close();
      }),
    );
  });

  it("always offers a reducing order a position while the strategy runs", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const venue = started(true);
        for (const next of actions) {
          const { spec } = venue.account(next.symbol);
          const reducing = Big(spec.positionAmt).gt(0) ? ("SELL" as const) : ("BUY" as const);
          run(venue, { ...next, side: reducing, reduceOnly: true, execution: "at_once" });
          const left = venue.account(next.symbol).amount;
          expect(left.times(spec.positionAmt).gt(0)).toBe(true);
          expect(left.abs().times(2).gte(Big(spec.positionAmt).abs())).toBe(true);
        }
      }),
    );
  });

  it("commits a reduce-only quantity once: what an open order will close cannot be sold again", () => {
    const venue = started(false);
    const sell = { symbol: "BTCUSDT", side: "SELL", type: "MARKET", quantity: "0.040", reduceOnly: "true" };
    venue.place(sell, { lateMs: 60_000 });
    expect(venue.place(sell, "at_once").origQty).toBe("0.022");
    expect(() => venue.place(sell, "at_once")).toThrow("ReduceOnly Order Failed.");
    venue.close();
  });

  it("moves without a trade only when told so", () => {
    const venue = started(true);
    venue.setPosition("BTCUSDT", "0.100", "other");
    expect(tradedSum(venue, "BTCUSDT").toFixed()).toBe("0.1");
    venue.setPositionUntraded("BTCUSDT", "0.050");
    expect(venue.positions("BTCUSDT")[0]?.positionAmt).toBe("0.050");
    expect(tradedSum(venue, "BTCUSDT").toFixed()).toBe("0.1");
  });

  it("gets its positions back when the strategy is switched on again", () => {
    const venue = started(false);
    venue.place(
      { symbol: "SOLUSDT", side: "SELL", type: "MARKET", quantity: "42.15", reduceOnly: "true" },
      "at_once",
    );
    expect(venue.positions("SOLUSDT")[0]).toMatchObject({ positionAmt: "0.00", entryPrice: "0.0000" });
    venue.setStrategy(true);
    expect(venue.positions("SOLUSDT")[0]?.positionAmt).toBe("42.15");
  });

  it("refuses a small order below the notional unless it reduces", () => {
    const venue = started(true, 1, [{ ...spec("BTCUSDT"), minNotional: "200" }]);
    const order = { symbol: "BTCUSDT", type: "MARKET", quantity: "0.001" };
    expect(() => venue.place({ ...order, side: "BUY" }, "at_once")).toThrow("notional");
    expect(venue.place({ ...order, side: "SELL", reduceOnly: "true" }, "at_once").status).toBe("FILLED");
  });
});

describe("the simulated market", () => {
  it("repeats itself for a seed and differs for another", () => {
    const walk = (seed: number) => {
      const venue = started(true, seed);
      return Array.from({ length: 50 }, () => venue.positions().map((position) => position.markPrice));
    };
    expect(walk(7)).toEqual(walk(7));
    expect(walk(7)).not.toEqual(walk(8));
  });

  it("moves, and stays within a tenth of where it began", () => {
    const venue = started(true);
    const prices = Array.from({ length: 2000 }, () => Big(venue.positions("BTCUSDT")[0]?.markPrice ?? 0));
    expect(new Set(prices.map(String)).size).toBeGreaterThan(100);
    for (const price of prices) expect(price.minus(105_000).abs().lte(10_500)).toBe(true);
  });
});

function spec(symbol: string): SymbolSpec {
  const found = DEFAULT_MARKET.find((row) => row.symbol === symbol);
  if (!found) throw new Error(`no ${symbol} in the default market`);
  return found;
}
