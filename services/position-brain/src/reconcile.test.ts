import type { OrderState, Position, Trade } from "@quantum/exchange";
import { Big } from "big.js";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Execution,
  type Ledger,
  ledgerFields,
  NO_TRADE,
  parseLedger,
  parseSnapshot,
  snapshotFields,
  snapshotOf,
} from "./pair.ts";
import {
  COUNTED_MAX,
  filledQty,
  isMisbooked,
  needsTrades,
  openReduceQty,
  recounted,
  withExecutions,
  withTrades,
} from "./reconcile.ts";

/** Above 2^53, so that arithmetic in doubles would be wrong. */
const FIRST_ID = 8_389_765_519_826_112_345n;

const empty: Ledger = { amt: "0", lastTradeId: NO_TRADE, origin: "bootstrap", lastExecution: undefined };

const position = (over: Partial<Position> = {}): Position => ({
  symbol: "ETHUSDT",
  positionAmt: "-1.850",
  entryPrice: "3402.15",
  markPrice: "3310.00",
  unrealizedProfit: "170.48000000",
  leverage: "10",
  updateTimeMs: 1_769_301_008_977,
  ...over,
});

const trades = fc
  .array(
    fc.record({
      side: fc.constantFrom("BUY" as const, "SELL" as const),
      steps: fc.integer({ min: 1, max: 100_000 }),
      gap: fc.bigInt({ min: 1n, max: 1_000_000n }),
    }),
    { maxLength: 40 },
  )
  .map((rows) => {
    let id = FIRST_ID;
    return rows.map(({ side, steps, gap }): Trade => {
      id += gap;
      const qty = Big(steps).div(1000).toFixed(3);
      return {
        id: id.toString(),
        orderId: id.toString(),
        symbol: "ETHUSDT",
        side,
        price: "3310",
        qty,
        timeMs: 1,
      };
    });
  });

const signed = (list: readonly Trade[]) =>
  list.reduce((sum, { side, qty }) => (side === "BUY" ? sum.plus(qty) : sum.minus(qty)), Big(0));

describe("the ledger", () => {
  it("is the signed sum of the trades, whatever the pages, their order and repetitions", () => {
    fc.assert(
      fc.property(
        trades,
        fc.array(fc.nat(40), { maxLength: 5 }),
        fc.integer({ min: 0, max: 1_000 }),
        (all, cuts, start) => {
          let ledger: Ledger = { ...empty, amt: String(start), lastTradeId: FIRST_ID.toString() };
          for (const cut of [...cuts, all.length]) {
            // Each read returns all trades up to some point, newest first and twice.
            const seen = all.slice(0, cut).toReversed();
            ledger = withTrades(ledger, [...seen, ...seen]);
          }
          expect(Big(ledger.amt).eq(signed(all).plus(start))).toBe(true);
          expect(ledger.lastTradeId).toBe(all.at(-1)?.id ?? FIRST_ID.toString());
        },
      ),
    );
  });

  it("counts nothing that a bootstrap has counted, and says where its amount comes from", () => {
    const ledger = { ...empty, amt: "5", lastTradeId: "10" };
    const trade = (id: string): Trade => ({
      id,
      orderId: "1",
      symbol: "ETHUSDT",
      side: "BUY",
      price: "1",
      qty: "2",
      timeMs: 1,
    });
    expect(withTrades(ledger, [trade("9"), trade("10")])).toEqual(ledger);
    expect(withTrades(ledger, [trade("11")])).toEqual({
      ...ledger,
      amt: "7",
      lastTradeId: "11",
      origin: "trades",
      booked: [{ orderId: "1", qty: "2" }],
    });
  });

  it("knows what the last orders have executed, and never more than that", () => {
    const trade = (id: number, orderId: number, qty: string): Trade => ({
      ...{ id: `${id}`, orderId: `${orderId}`, symbol: "ETHUSDT", side: "SELL", price: "1", qty, timeMs: 1 },
    });
    const first = withTrades(empty, [trade(1, 5, "2"), trade(2, 6, "1"), trade(3, 5, "0.5")]);
    expect(first.booked).toEqual([
      { orderId: "5", qty: "2.5" },
      { orderId: "6", qty: "1" },
    ]);
    // The rest of an order that was counted in part: how much of it events have told already is not known.
    const second = withTrades(first, [trade(4, 6, "3"), trade(5, 5, "1")]);
    expect(second.booked).toEqual([
      { orderId: "6", qty: "3" },
      { orderId: "5", qty: "2.5" },
    ]);
    const many = Array.from({ length: COUNTED_MAX + 3 }, (_, n) => trade(10 + n, 100 + n, "1"));
    expect(withTrades(second, many).booked?.map(({ orderId }) => orderId)).toEqual(
      many.slice(3).map(({ orderId }) => orderId),
    );
  });

  it("keeps the latest execution, however late an older one's result is handled", () => {
    const execution = (atMs: number): Execution => ({
      planId: `${atMs}`,
      orderId: "1",
      side: "BUY",
      qty: "1",
      atMs,
    });
    const ledger = withExecutions(empty, [execution(5), execution(7), execution(6)], 7);
    expect(ledger.lastExecution?.atMs).toBe(7);
    expect(withExecutions(ledger, [execution(3)], 10).lastExecution?.atMs).toBe(7);
    expect(withExecutions(ledger, [], 10).lastExecution?.atMs).toBe(7);
  });

  it("takes a future execution for one of now, which ages from there", () => {
    const lastExecution: Execution = { planId: "1", orderId: "1", side: "BUY", qty: "1", atMs: 3_600_000 };
    const ledger = withExecutions({ ...empty, lastExecution }, [], 10);
    expect(ledger.lastExecution).toEqual({ ...lastExecution, atMs: 10 });
    expect(withExecutions(ledger, [], 20).lastExecution?.atMs).toBe(10);
  });
});

describe("the hashes of a pair", () => {
  it("read back as they were written, ids with all their digits", () => {
    const snapshot = snapshotOf(position(), "0.250", 1_769_301_009_500);
    expect(parseSnapshot(snapshotFields(snapshot, "exchange-sim"))).toEqual(snapshot);
    expect(snapshot.tsEpochSec).toBe(1_769_301_009);
    const ledger: Ledger = {
      amt: "-1.850",
      lastTradeId: FIRST_ID.toString(),
      origin: "trades",
      lastExecution: {
        planId: "0123456789abcdef",
        orderId: FIRST_ID.toString(),
        side: "BUY",
        qty: "0.1",
        atMs: 5,
      },
    };
    expect(parseLedger(ledgerFields(ledger, 1))).toEqual(ledger);
    expect(parseLedger(ledgerFields(empty, 1))).toEqual(empty);
  });

  it("take neither an absent hash nor one of the Python services' for a pair", () => {
    expect(parseSnapshot({})).toBeUndefined();
    expect(parseLedger({})).toBeUndefined();
    expect(parseLedger({ last_known_amt: "0.011", last_order_id: "1", updated_at: "1" })).toBeUndefined();
    expect(
      parseSnapshot({ ...snapshotFields(snapshotOf(position(), "0", 1), "x"), position_amt: "nan" }),
    ).toBe(undefined);
  });

  it("name the side by the amount's sign", () => {
    const side = (positionAmt: string) =>
      snapshotFields(snapshotOf(position({ positionAmt }), "0", 1), "x")["side"];
    expect(["0.000", "1.5", "-1.5"].map(side)).toEqual(["NONE", "LONG", "SHORT"]);
  });
});

describe("what a refresh asks for", () => {
  it("asks for trades when the position moved or the pair does not match", () => {
    const snapshot = snapshotOf(position(), "0", 1);
    const ledger = { ...empty, amt: "-1.85" };
    expect(needsTrades({ snapshot, ledger }, position())).toBe(false);
    expect(needsTrades({ snapshot, ledger }, position({ positionAmt: "-1.849" }))).toBe(true);
    expect(needsTrades({ snapshot, ledger }, position({ updateTimeMs: 1 }))).toBe(true);
    expect(needsTrades({ snapshot, ledger: { ...ledger, amt: "-1.8" } }, position())).toBe(true);
    expect(needsTrades({ snapshot: undefined, ledger }, position())).toBe(true);
  });

  it("counts what reduce-only orders of the closing side still have to fill", () => {
    const order = (over: Partial<OrderState>): OrderState => ({
      symbol: "ETHUSDT",
      orderId: "1",
      clientOrderId: "x",
      side: "BUY",
      status: "NEW",
      reduceOnly: true,
      origQty: "0.5",
      executedQty: "0.2",
      avgPrice: "0",
      updateTimeMs: 1,
      ...over,
    });
    const orders = [
      order({}),
      order({ origQty: "0.1", executedQty: "0" }),
      order({ side: "SELL" }),
      order({ reduceOnly: false }),
      order({ symbol: "BTCUSDT" }),
    ];
    expect(openReduceQty(position(), orders)).toBe("0.4");
    expect(openReduceQty(position({ positionAmt: "1.850" }), orders)).toBe("0.3");
  });

  it("sums one order's trades", () => {
    fc.assert(
      fc.property(trades, (all) => {
        const [first] = all;
        expect(filledQty(all, first?.orderId ?? "none").eq(first?.qty ?? 0)).toBe(true);
      }),
    );
  });
});

describe("a ledger with fills from events", () => {
  const trade = (id: string, side: "BUY" | "SELL", qty: string): Trade => ({
    ...{ id, orderId: "1", symbol: "ETHUSDT", side, price: "3310", qty, timeMs: 1 },
  });
  const counted = [trade("101", "BUY", "1"), trade("102", "SELL", "3")];
  const booked: Ledger = {
    ...empty,
    amt: "8",
    lastTradeId: "102",
    origin: "trades",
    anchor: { amt: "10", tradeId: "100" },
  };

  it("is counted again from what REST has counted", () => {
    expect(recounted(booked)).toMatchObject({ amt: "10", lastTradeId: "100" });
    expect(recounted(booked).anchor).toBeUndefined();
    expect(withTrades(recounted(booked), counted)).toMatchObject({ amt: "8", lastTradeId: "102" });
    // As events may tell it: a trade below the last one was missing, and is not lost.
    const wrong = { ...booked, amt: "7" };
    expect(withTrades(recounted(wrong), counted).amt).toBe("8");
    expect(recounted(empty)).toEqual(empty);
  });

  it("is misbooked if it differs from the trades that it claims to include", () => {
    const later = trade("103", "SELL", "1");
    expect(isMisbooked(booked, [...counted, later])).toBe(false);
    expect(isMisbooked({ ...booked, amt: "7" }, [...counted, later])).toBe(true);
    expect(isMisbooked({ ...empty, amt: "7" }, counted)).toBe(false);
  });

  it("needs its trades, though its position has not moved", () => {
    const still = position({ positionAmt: "8" });
    const snapshot = snapshotOf(still, "0", 1);
    expect(needsTrades({ snapshot, ledger: booked }, still)).toBe(true);
    expect(needsTrades({ snapshot, ledger: { ...booked, anchor: undefined } }, still)).toBe(false);
  });
});
