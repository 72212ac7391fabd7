import type { RequestListener } from "node:http";
import { patienceMs } from "@quantum/harness";
import { describe, expect, it } from "vitest";
import { ExchangeError } from "@quantum/exchange";
import {
  apiOrders,
  connect,
  exchange,
  fault,
  IMPATIENT_MS,
  place,
  placed,
  POLL,
  state,
  useExchangeSim,
  withServer,
} from "./adapter.fixture.ts";

useExchangeSim();

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
      await fault({ kind, path: "GET /fapi/v3/positionRisk" });
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
    const drip: RequestListener = (_request, response) => {
      const timer = setInterval(() => response.write(" "), IMPATIENT_MS / 10);
      response.once("close", () => clearInterval(timer));
    };
    await withServer(drip, async (baseUrl) => {
      const impatient = connect({ baseUrl, timeoutMs: IMPATIENT_MS });
      await expect(impatient.serverTime()).rejects.toThrow("no answer within");
    });
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
    const late = await place("ETHUSDT");
    const accepted = (await apiOrders()).at(-1)?.orderId;
    expect(late).toEqual({ outcome: "acknowledged", orderId: accepted, status: "NEW" });
    expect((await exchange.openOrders("ETHUSDT")).rows.map((open) => open.orderId)).toEqual([accepted]);
  });
});

describe("a pause that the venue asks for", () => {
  it.each([
    [{ kind: "429", path: "GET /fapi/v3/positionRisk" }, 12_000],
    [{ kind: "429", tells: "nothing", path: "GET /fapi/v3/positionRisk" }, 60_000],
    [{ kind: "418", path: "POST /fapi/v1/order" }, 12_000],
    // By the venue's clock, with a margin for its difference from ours.
    [{ kind: "418", tells: "text", path: "POST /fapi/v1/order" }, 13_000],
    [{ kind: "418", tells: "nothing", path: "POST /fapi/v1/order" }, 60_000],
    [{ kind: "error", code: -1003, path: "GET /fapi/v1/exchangeInfo" }, 60_000],
  ] as const)("after %o, no request is made and each is told how long to wait", async (asked, longestMs) => {
    await fault({ ms: 12_000, ...asked });
    const requests = {
      "GET /fapi/v3/positionRisk": () => exchange.positions(),
      "GET /fapi/v1/exchangeInfo": () => exchange.rules(),
      "POST /fapi/v1/order": () => place(),
    };
    await requests[asked.path]().catch(() => undefined);
    for (const request of [...Object.values(requests), () => exchange.serverTime()]) {
      const answer: unknown = await request().catch((error: unknown) => error);
      const { retryAfterMs } = answer as { retryAfterMs: number };
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

describe("credentials", () => {
  it.each([
    [-2015, 401, { apiKey: "another-key" }],
    [-1022, 400, { apiSecret: "another-secret" }],
  ])("are refused with %i when wrong", async (code, httpStatus, wrong) => {
    const stranger = connect(wrong);
    await expect(stranger.positions()).rejects.toMatchObject({ code, httpStatus });
    expect(await place("BTCUSDT", {}, stranger)).toMatchObject({ outcome: "rejected", code });
  });

  it("appear in no error, whatever goes wrong", async () => {
    const impatient = connect({ timeoutMs: IMPATIENT_MS });
    for (const kind of ["reset", "503_before", "wrong_body", "timeout_before"] as const) {
      await fault({ kind, path: "GET /fapi/v3/positionRisk" });
      const error: unknown = await impatient.positions().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(ExchangeError);
      const seen = JSON.stringify(error, [...Object.getOwnPropertyNames(error), "cause"]);
      expect(seen).not.toMatch(/sim-key|sim-secret|signature/);
    }
  });
});
