import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { patienceMs } from "@quantum/testkit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type BinanceOptions,
  createBinanceExchange,
  type Exchange,
  ExchangeError,
  isClosed,
  type Placement,
} from "@quantum/exchange";
import type { Fault } from "./faults.ts";
import type { SimOrder, SimTrade } from "./account.ts";
import { createExchangeSim, type ExchangeSim } from "./server.ts";

const KEY = "sim-key";
const SECRET = "sim-secret";
/** For the tests in which no answer comes; the others have time, however busy the machine is. */
const IMPATIENT_MS = 150;

let sim: ExchangeSim;
let exchange: Exchange;
let skewMs = 0;

beforeEach(async () => {
  skewMs = 0;
  sim = createExchangeSim({ apiKey: KEY, apiSecret: SECRET, now: () => Date.now() + skewMs });
  await sim.listen();
  exchange = connect();
});

afterEach(() => sim.close());

function connect(options: Partial<BinanceOptions> = {}): Exchange {
  return createBinanceExchange({
    baseUrl: sim.url,
    apiKey: KEY,
    apiSecret: SECRET,
    timeoutMs: 3000,
    recvWindowMs: 5000,
    ...options,
  });
}

const POLL = { timeout: 5000 };
let lastOrder = 0;
const nextId = () => `qp-0123456789abcdef-${(lastOrder += 1)}`;

function place(
  symbol = "BTCUSDT",
  over: Partial<Parameters<Exchange["placeReduceOnlyMarket"]>[0]> = {},
): Promise<Placement> {
  return exchange.placeReduceOnlyMarket({
    symbol,
    side: symbol === "ETHUSDT" ? "BUY" : "SELL",
    quantity: "0.010",
    clientOrderId: nextId(),
    timestampMs: exchange.now(),
    recvWindowMs: 5000,
    ...over,
  });
}

async function placed(symbol: string, over = {}) {
  const placement = await place(symbol, over);
  if (placement.outcome !== "answered") throw new Error(`placement ended ${placement.outcome}`);
  return placement.order;
}

async function control(method: string, path: string, body?: object): Promise<unknown> {
  const answer = await fetch(`${sim.url}${path}`, {
    method,
    ...(body ? { body: JSON.stringify(body), headers: { "content-type": "application/json" } } : {}),
  });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

const fault = (order: Partial<Fault>) => control("POST", "/sim/faults", order);

interface State {
  orders: SimOrder[];
  trades: SimTrade[];
  requests: Record<string, number>;
}
const state = async () => (await control("GET", "/sim/state")) as State;
const apiOrders = async () => (await state()).orders.filter((order) => order.origin === "api");

describe("reads", () => {
  it("reads rules, positions, mode and time through the real client library", async () => {
    expect((await exchange.rules()).get("BTCUSDT")).toEqual({
      symbol: "BTCUSDT",
      status: "TRADING",
      stepSize: "0.001",
      minQty: "0.001",
      maxQty: "10000",
      minNotional: "100",
      tickSize: "0.10",
    });
    expect(await exchange.hedgeMode()).toBe(false);
    const { rows: positions } = await exchange.positions();
    expect(positions.map((position) => [position.symbol, position.positionAmt])).toEqual([
      ["BTCUSDT", "0.062"],
      ["ETHUSDT", "-1.850"],
      ["SOLUSDT", "42.15"],
      ["BNBUSDT", "-9.50"],
      ["XRPUSDT", "2600.5"],
      ["1000SHIBUSDT", "-4100"],
    ]);
    expect((await exchange.positions("ETHUSDT")).rows).toHaveLength(1);
    expect(Math.abs((await exchange.serverTime()) - Date.now())).toBeLessThan(patienceMs(1000));
  });

  it("pages through trades by id and by time, ascending", async () => {
    const [first] = await exchange.trades("BTCUSDT");
    await placed("BTCUSDT");
    await placed("BTCUSDT");
    const all = await exchange.trades("BTCUSDT");
    const ids = all.map((trade) => BigInt(trade.id));
    expect(ids).toEqual(ids.toSorted((a, b) => (a < b ? -1 : 1)));
    expect(await exchange.trades("BTCUSDT", { fromId: all[1]?.id ?? "", limit: 1 })).toEqual([all[1]]);
    expect(await exchange.trades("BTCUSDT", { startTimeMs: first?.timeMs ?? 0 })).toEqual(all);
    expect(await exchange.trades("BTCUSDT", { limit: 1 })).toEqual([all.at(-1)]);
  });

  it("throws a typed error, and never reads as empty", async () => {
    expect(await exchange.order("NOSUCH", "qp-0123456789abcdef-1")).toBeUndefined();
    await expect(exchange.positions("NOSUCH")).rejects.toMatchObject({ code: -1121, httpStatus: 400 });
    const impatient = connect({ timeoutMs: IMPATIENT_MS });
    for (const kind of ["empty_body", "wrong_body", "reset", "503_before", "timeout_before"] as const) {
      await fault({ kind, path: "GET /fapi/v2/positionRisk" });
      await expect(impatient.positions()).rejects.toBeInstanceOf(ExchangeError);
    }
    await fault({ kind: "429", ms: 7000, path: "GET /fapi/v1/userTrades" });
    await expect(exchange.trades("BTCUSDT")).rejects.toMatchObject({
      code: -1003,
      httpStatus: 429,
      retryAfterMs: 7000,
    });
  });

  it("tells an order that does not exist from one that cannot be read", async () => {
    expect(await exchange.order("BTCUSDT", "qp-unknown")).toBeUndefined();
    await fault({ kind: "503_before", path: "GET /fapi/v1/order" });
    await expect(exchange.order("BTCUSDT", "qp-unknown")).rejects.toMatchObject({ httpStatus: 503 });
  });

  it("gives up on an answer that drips", async () => {
    const drip = createServer((_request, response) => {
      const timer = setInterval(() => response.write(" "), IMPATIENT_MS / 10);
      response.once("close", () => clearInterval(timer));
    });
    const baseUrl = await listening(drip);
    await expect(connect({ baseUrl, timeoutMs: IMPATIENT_MS }).serverTime()).rejects.toThrow(
      "no answer within",
    );
    drip.closeAllConnections();
    drip.close();
  });
});

describe("ids of 19 digits", () => {
  it("stay exact digit by digit in placement, query, trades and open orders", async () => {
    const order = await placed("ETHUSDT");
    const truth = (await apiOrders()).at(-1);
    expect(order.orderId).toMatch(/^\d{19}$/);
    expect(order.orderId).toBe(truth?.orderId);
    expect(order.orderId).not.toBe(String(Number(order.orderId)));
    expect((await exchange.order("ETHUSDT", order.clientOrderId))?.orderId).toBe(truth?.orderId);
    expect((await exchange.trades("ETHUSDT")).map((trade) => trade.orderId)).toContain(truth?.orderId);

    await fault({ kind: "late_ack", ms: 60_000 });
    const late = await placed("ETHUSDT");
    expect((await exchange.openOrders("ETHUSDT")).rows.map((open) => open.orderId)).toEqual([late.orderId]);
    expect(late.orderId).toBe((await apiOrders()).at(-1)?.orderId);
  });
});

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
    const other = connect();
    if (kind.startsWith("timeout") || kind === "latency") exchange = connect({ timeoutMs: IMPATIENT_MS });
    // A slow answer is late enough to be missed; the order executes all the same.
    await fault({ kind, ms: IMPATIENT_MS * 2 });
    expect(await place("BTCUSDT", { clientOrderId })).toMatchObject({ outcome });
    await expect.poll(apiOrders, POLL).toHaveLength(orders);
    expect((await other.order("BTCUSDT", clientOrderId))?.status).toBe(orders ? "FILLED" : undefined);
  });

  it("is certain not to have been placed where nobody listens", async () => {
    exchange = connect({ baseUrl: "http://127.0.0.1:1" });
    expect(await place()).toMatchObject({ outcome: "unavailable" });
  });

  it("follows the table for a code on command", async () => {
    await fault({ kind: "error", code: -1006 });
    expect(await place()).toMatchObject({ outcome: "ambiguous" });
    await fault({ kind: "error", code: -4400 });
    expect(await place()).toMatchObject({ outcome: "rejected", code: -4400 });
  });

  it("acknowledges late fills as NEW, calls an open order's id a duplicate, and forgets it after the fill", async () => {
    await fault({ kind: "late_ack", ms: 500 });
    const clientOrderId = nextId();
    expect(await placed("BTCUSDT", { clientOrderId })).toMatchObject({ status: "NEW", executedQty: "0.000" });
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
    const other = createServer((_request, response) => {
      response.end(JSON.stringify(OTHER_ORDER));
    });
    exchange = connect({ baseUrl: await listening(other) });
    expect(await place()).toEqual({ outcome: "ambiguous", reason: "the answer speaks of another order" });
    other.closeAllConnections();
    other.close();
  });
});

describe("a pause that the venue asks for", () => {
  it.each([
    { kind: "429", path: "GET /fapi/v2/positionRisk" },
    { kind: "418", path: "POST /fapi/v1/order" },
    { kind: "error", code: -1003, path: "GET /fapi/v1/exchangeInfo" },
  ] as const)("after %o, no request is made and each is told how long to wait", async (asked) => {
    await fault({ ms: 12_000, ...asked });
    const requests = {
      "GET /fapi/v2/positionRisk": () => exchange.positions(),
      "GET /fapi/v1/exchangeInfo": () => exchange.rules(),
      "POST /fapi/v1/order": () => place(),
    };
    await requests[asked.path]().catch(() => undefined);
    for (const request of [...Object.values(requests), () => exchange.serverTime()]) {
      const answer: unknown = await request().catch((error: unknown) => error);
      const { retryAfterMs } = answer as { retryAfterMs: number };
      const longestMs = asked.kind === "error" ? 60_000 : 12_000;
      expect(retryAfterMs).toBeGreaterThan(longestMs - 5_000);
      expect(retryAfterMs).toBeLessThanOrEqual(longestMs);
    }
    expect(await place()).toMatchObject({ outcome: "retry_after" });
    expect((await state()).requests).toEqual({ [asked.path]: 1 });
  });

  it("ends", async () => {
    await fault({ kind: "429", ms: 1, path: "GET /fapi/v1/exchangeInfo" });
    await expect(exchange.rules()).rejects.toBeInstanceOf(ExchangeError);
    await expect.poll(() => exchange.rules(), POLL).toBeDefined();
  });
});

describe("the venue's problems", () => {
  it("are those of the last request, and none where it was answered, with a refusal too", async () => {
    expect(exchange.problems()).toEqual([]);
    for (const answered of [
      () => exchange.rules(),
      () => exchange.order("BTCUSDT", "qp-unknown"),
      () => place("BTCUSDT", { quantity: "0" }),
    ]) {
      await fault({ kind: "503_before" });
      await place();
      expect(exchange.problems()).toEqual([expect.stringContaining("no usable answer: HTTP 503")]);
      await answered();
      expect(exchange.problems()).toEqual([]);
    }
    await fault({ kind: "429", ms: 9_000 });
    await place();
    expect(exchange.problems()).toEqual([
      expect.stringMatching(/^the exchange wants no requests for \d+ s: HTTP 429/),
    ]);
  });
});

describe("clocks", () => {
  it("call an order outside its window expired, and are set right for the next one", async () => {
    skewMs = 30_000;
    expect(await place()).toEqual({ outcome: "expired", message: expect.stringContaining("-1021") });
    expect(await apiOrders()).toEqual([]);
    expect(exchange.now() - Date.now()).toBeGreaterThan(29_000);
    expect(await place()).toMatchObject({ outcome: "answered" });
  });

  it("repeats a read once with the clock set right", async () => {
    skewMs = -30_000;
    expect((await exchange.positions("BTCUSDT")).rows).toHaveLength(1);
    expect((await state()).requests["GET /fapi/v2/positionRisk"]).toBe(2);
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
    expect(sent?.timestampMs).toBeGreaterThan(timestampMs - 100);

    const late = { timestampMs: exchange.now() - 5000, recvWindowMs: 4000 };
    expect(await place("BTCUSDT", late)).toMatchObject({ outcome: "expired" });
  });
});

describe("credentials", () => {
  it.each([
    [-2015, 401, { apiKey: "another-key" }],
    [-1022, 400, { apiSecret: "another-secret" }],
  ])("are refused with %i when wrong", async (code, httpStatus, wrong) => {
    exchange = connect(wrong);
    await expect(exchange.positions()).rejects.toMatchObject({ code, httpStatus });
    expect(await place()).toMatchObject({ outcome: "rejected", code });
  });

  it("appear in no error, whatever goes wrong", async () => {
    const impatient = connect({ timeoutMs: IMPATIENT_MS });
    for (const kind of ["reset", "503_before", "wrong_body", "timeout_before"] as const) {
      await fault({ kind, path: "GET /fapi/v2/positionRisk" });
      const error: unknown = await impatient.positions().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(ExchangeError);
      const seen = JSON.stringify(error, [...Object.getOwnPropertyNames(error), "cause"]);
      expect(seen).not.toMatch(/sim-key|sim-secret|signature/);
    }
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

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
