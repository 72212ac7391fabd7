import type { OrderEvent, OrderState } from "@quantum/exchange";
import { Big } from "big.js";
import { beforeEach, expect, it } from "vitest";
import { BOOKED_MAX, OrderBook } from "./order-book.ts";

const LONG = Big("10");
let book: OrderBook;
let nowMs: number;

beforeEach(() => {
  book = new OrderBook();
  nowMs = 1_000;
});

/** An open reduce-only order of somebody else, by default. */
function tell(over: Partial<OrderEvent> = {}, isNewFill = over.fill !== undefined): void {
  nowMs += 1;
  const event: OrderEvent = {
    symbol: "BTCUSDT",
    orderId: "1",
    clientOrderId: "web_1",
    side: "SELL",
    reduceOnly: true,
    executionType: "NEW",
    status: "NEW",
    origQty: "4",
    executedQty: "0",
    avgPrice: "",
    fill: undefined,
    eventTimeMs: nowMs,
    timeMs: nowMs,
    origin: "other",
    ...over,
  };
  book.add(event, isNewFill, { nowMs, epochMs: nowMs + 1_000_000 });
}

const fill = (tradeId: string, qty: string) => ({ tradeId, qty, price: "1" });
const listed = (orderId: string, executedQty = "0"): OrderState => ({
  ...{ symbol: "BTCUSDT", orderId, clientOrderId: "", side: "SELL", status: "NEW", reduceOnly: true },
  ...{ origQty: "4", executedQty, avgPrice: "", updateTimeMs: 0 },
});

it("counts what open reduce-only orders of the closing side may still close", () => {
  tell();
  tell({ orderId: "2", side: "BUY" });
  tell({ orderId: "3", reduceOnly: false });
  tell({ executionType: "TRADE", status: "PARTIALLY_FILLED", executedQty: "1", fill: fill("7", "1") });
  expect(book.openReduceQty(LONG)).toBe("3");
  expect(book.openReduceQty(LONG.times(-1))).toBe("4");
  tell({ executionType: "AMENDMENT", origQty: "2", executedQty: "1" });
  expect(book.openReduceQty(LONG)).toBe("1");
  tell({ executionType: "CANCELED", status: "CANCELED", executedQty: "1" });
  expect(book.openReduceQty(LONG)).toBe("0");
});

it("does not open an order again that an event has closed, whatever comes late", () => {
  tell({ status: "CANCELED" });
  tell({ timeMs: 1 });
  expect(book.openReduceQty(LONG)).toBe("0");
  book.begin([listed("1")], nowMs);
  expect(book.openReduceQty(LONG)).toBe("0");
});

it("takes the exchange's list for what no later event has told", () => {
  tell();
  tell({ orderId: "2" });
  const readAtMs = nowMs + 1;
  nowMs += 1;
  tell({ orderId: "3" });
  book.begin([listed("2", "1"), listed("4")], readAtMs);
  // 3 of the second, and all of the third and fourth.
  expect(book.openReduceQty(LONG)).toBe("11");
});

it("knows when an order has filled more than was told, until the exchange was read", () => {
  tell();
  const partly = { executionType: "TRADE", status: "PARTIALLY_FILLED" };
  tell({ ...partly, executedQty: "2", fill: fill("8", "1") });
  expect(book.isTold).toBe(false);
  tell({ ...partly, executedQty: "1", fill: fill("7", "1") });
  expect(book.isTold).toBe(true);
  tell({ status: "EXPIRED", executedQty: "3" });
  expect(book.isTold).toBe(false);
  book.begin([], nowMs);
  expect(book.isTold).toBe(true);
});

it("counts the fills of a listed order from what the list says", () => {
  book.begin([listed("1", "1")], nowMs);
  const partly = { executionType: "TRADE", status: "PARTIALLY_FILLED" };
  // It is in the list already.
  tell({ ...partly, executedQty: "1", fill: fill("7", "1") });
  tell({ ...partly, executedQty: "3", fill: fill("9", "1") });
  expect(book.isTold).toBe(false);
});

it("does not know how much an order without a size may close", () => {
  tell({ origQty: "" });
  expect(book.isTold).toBe(false);
  tell({ origQty: "4" });
  expect(book.isTold).toBe(true);
});

it("remembers what our last orders have executed, once each", () => {
  for (let order = 1; order <= BOOKED_MAX + 2; order++) {
    const orderId = String(order);
    const ours = { origin: "ours", clientOrderId: `qp-${"0".repeat(15)}a-${order}`, orderId } as const;
    tell({ ...ours, executedQty: "1", fill: fill(`${order}1`, "1"), status: "PARTIALLY_FILLED" });
    tell({ ...ours, executedQty: "2", fill: fill(`${order}2`, "1"), status: "FILLED" });
  }
  expect(book.booked).toHaveLength(BOOKED_MAX);
  expect(book.booked.at(-1)).toEqual({ orderId: String(BOOKED_MAX + 2), qty: "2" });
  expect(book.execution).toMatchObject({
    planId: "000000000000000a",
    orderId: String(BOOKED_MAX + 2),
    qty: "2",
  });
  tell({ orderId: "99", executedQty: "1", fill: fill("991", "1") });
  expect(book.booked.at(-1)?.orderId).toBe(String(BOOKED_MAX + 2));
});

it("keeps the most that was shown of an order, by readings or by events", () => {
  const ours = { orderId: "9", origin: "ours", clientOrderId: "qp-0123456789abcdef-1" } as const;
  book.adopt([{ orderId: "9", qty: "3" }]);
  tell({ ...ours, status: "PARTIALLY_FILLED", executedQty: "1", fill: fill("7", "1") });
  expect(book.booked).toEqual([{ orderId: "9", qty: "3" }]);
  book.adopt([{ orderId: "9", qty: "4" }]);
  book.adopt([{ orderId: "9", qty: "2" }]);
  expect(book.booked).toEqual([{ orderId: "9", qty: "4" }]);
});

it("does not forget an order that events have told for older ones that a reading shows", () => {
  const ours = { orderId: "1000", origin: "ours", clientOrderId: "qp-0123456789abcdef-1" } as const;
  tell({ ...ours, status: "FILLED", executedQty: "1", fill: fill("7", "1") });
  const older = Array.from({ length: 2 * BOOKED_MAX }, (_, n) => ({ orderId: `${960 + n}`, qty: "2" }));
  book.adopt(older);
  expect(book.booked.map(({ orderId }) => orderId)).toEqual([
    "1000",
    ...older.slice(1 - BOOKED_MAX).map(({ orderId }) => orderId),
  ]);
});

it("knows the newest order even if the exchange counts from 1 again", () => {
  book.adopt(Array.from({ length: BOOKED_MAX }, (_, n) => ({ orderId: `${1_000 + n}`, qty: "2" })));
  for (const orderId of ["1", "2"]) {
    tell({ orderId, origin: "ours", clientOrderId: `qp-0123456789abcdef-${orderId}`, executedQty: "1" });
    expect(book.booked.at(-1)).toEqual({ orderId, qty: "1" });
    expect(book.booked).toHaveLength(BOOKED_MAX);
  }
});
