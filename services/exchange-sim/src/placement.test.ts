import type { RequestListener } from "node:http";
import { patienceMs } from "@quantum/harness";
import { describe, expect, it, vi } from "vitest";
import { isClosed } from "@quantum/exchange";
import {
  apiOrders,
  connect,
  control,
  exchange,
  fault,
  IMPATIENT_MS,
  nextId,
  place,
  placed,
  POLL,
  skewVenue,
  state,
  useExchangeSim,
  withServer,
} from "./adapter.fixture.ts";

useExchangeSim();

describe("placement", () => {
  it("answers with the final order, under our own client order id", async () => {
    const clientOrderId = nextId();
    const order = await placed("BTCUSDT", { clientOrderId });
    expect(order).toMatchObject({
      clientOrderId,
      side: "SELL",
      status: "FILLED",
      reduceOnly: true,
      executedQty: "0.010",
    });
    expect(isClosed(order)).toBe(true);
    expect((await apiOrders()).map((sent) => sent.clientOrderId)).toEqual([clientOrderId]);
  });

  it("cuts a reduce-only order to the position, and refuses one with nothing to reduce", async () => {
    await control("POST", "/sim/strategy", { enabled: false });
    expect(await placed("BTCUSDT", { quantity: "5" })).toMatchObject({
      origQty: "0.062",
      executedQty: "0.062",
    });
    expect(await place("BTCUSDT")).toMatchObject({ outcome: "rejected", code: -2022 });
    expect(await place("SOLUSDT", { side: "BUY" })).toMatchObject({ outcome: "rejected", code: -2022 });
  });

  it.each([
    [-1121, { symbol: "NOSUCH" }],
    [-1111, { quantity: "0.0105" }],
    [-4003, { quantity: "0" }],
    [-4005, { quantity: "10001" }],
    [-1102, { quantity: "1e-3" }],
    [-4015, { clientOrderId: "qp plan" }],
  ])("is rejected with %i for %o", async (code, over) => {
    expect(await place("BTCUSDT", over)).toMatchObject({ outcome: "rejected", code });
    expect(await apiOrders()).toEqual([]);
  });

  it.each([
    ["429", "retry_after", 0],
    ["418", "retry_after", 0],
    ["503_before", "ambiguous", 0],
    ["503_after", "ambiguous", 1],
    ["-1007", "ambiguous", 1],
    ["-1007_not_executed", "ambiguous", 0],
    ["timeout_before", "ambiguous", 0],
    ["timeout_after", "ambiguous", 1],
    ["empty_body", "ambiguous", 1],
    ["wrong_body", "ambiguous", 1],
    ["reset", "ambiguous", 1],
    ["latency", "ambiguous", 1],
  ] as const)("under fault %s is %s, with %i orders at the venue", async (kind, outcome, orders) => {
    const clientOrderId = nextId();
    const impatient = kind.startsWith("timeout") || kind === "latency";
    const client = connect(impatient ? { timeoutMs: IMPATIENT_MS } : {});
    // The answer comes too late for the client, but the order executes.
    await fault({ kind, ms: IMPATIENT_MS * 2 });
    expect(await place("BTCUSDT", { clientOrderId }, client)).toMatchObject({ outcome });
    await expect.poll(apiOrders, POLL).toHaveLength(orders);
    expect((await exchange.order("BTCUSDT", clientOrderId))?.status).toBe(orders ? "FILLED" : undefined);
  });

  it("is certain not to have been placed where nobody listens", async () => {
    const nobody = connect({ baseUrl: "http://127.0.0.1:1" });
    expect(await place("BTCUSDT", {}, nobody)).toMatchObject({ outcome: "unavailable" });
  });

  it("follows the table for a code on command", async () => {
    await fault({ kind: "error", code: -1006 });
    expect(await place()).toMatchObject({ outcome: "ambiguous" });
    await fault({ kind: "error", code: -4400 });
    expect(await place()).toMatchObject({ outcome: "rejected", code: -4400 });
  });

  it("acknowledges a late fill as NEW, calls an open order's id a duplicate, and forgets it after the fill", async () => {
    await fault({ kind: "late_ack", ms: 2_000 });
    const clientOrderId = nextId();
    expect(await place("BTCUSDT", { clientOrderId })).toMatchObject({
      outcome: "acknowledged",
      status: "NEW",
    });
    expect(await place("BTCUSDT", { clientOrderId })).toEqual({ outcome: "already_placed" });
    await expect
      .poll(async () => (await exchange.order("BTCUSDT", clientOrderId))?.status, POLL)
      .toBe("FILLED");
    await placed("BTCUSDT", { clientOrderId });
    expect(await apiOrders()).toHaveLength(2);
  });

  it("reports a partial fill as closed with what was executed", async () => {
    await fault({ kind: "partial_fill" });
    const order = await placed("BTCUSDT");
    expect(order).toMatchObject({ status: "EXPIRED", origQty: "0.010", executedQty: "0.005" });
    expect(isClosed(order)).toBe(true);
  });

  it("takes an answer about another order for no answer", async () => {
    const other: RequestListener = (_request, response) => void response.end(JSON.stringify(OTHER_ORDER));
    await withServer(other, async (baseUrl) => {
      expect(await place("BTCUSDT", {}, connect({ baseUrl }))).toEqual({
        outcome: "ambiguous",
        reason: "the answer speaks of another order",
      });
    });
  });
});

describe("clocks", () => {
  it("call an order outside its window expired, and are set right for the next one", async () => {
    skewVenue(30_000);
    expect(await place()).toEqual({ outcome: "expired", message: expect.stringContaining("-1021") });
    expect(await apiOrders()).toEqual([]);
    expect(exchange.now() - Date.now()).toBeGreaterThan(29_000);
    expect(await place()).toMatchObject({ outcome: "answered" });
  });

  it("repeats a read once with the clock set right", async () => {
    skewVenue(-30_000);
    expect((await exchange.positions("BTCUSDT")).rows).toHaveLength(1);
    expect((await state()).requests["GET /fapi/v3/positionRisk"]).toBe(2);
  });

  it("step without shifting a send window", async () => {
    await exchange.serverTime();
    const before = exchange.now();
    const wall = vi.spyOn(Date, "now").mockReturnValue(Date.now() + 3_600_000);
    const shiftMs = exchange.now() - before;
    wall.mockRestore();
    expect(shiftMs).toBeLessThan(patienceMs(1_000));
  });

  it("never stamps an order later than its window was said to open", async () => {
    const timestampMs = exchange.now() - 5000;
    await placed("BTCUSDT", { timestampMs, recvWindowMs: 10_000 });
    const [sent] = await apiOrders();
    expect(sent?.recvWindowMs).toBe(10_000);
    expect(sent?.timestampMs).toBeLessThanOrEqual(timestampMs);
    expect(sent?.timestampMs).toBeGreaterThan(timestampMs - 1_000);

    const late = { timestampMs: exchange.now() - 5000, recvWindowMs: 4000 };
    expect(await place("BTCUSDT", late)).toMatchObject({ outcome: "expired" });
  });
});

const OTHER_ORDER = {
  symbol: "BTCUSDT",
  orderId: 1,
  clientOrderId: "qp-somebody-else",
  side: "SELL",
  status: "FILLED",
  reduceOnly: true,
  origQty: "1",
  executedQty: "1",
  avgPrice: "1",
  updateTime: 1,
};
