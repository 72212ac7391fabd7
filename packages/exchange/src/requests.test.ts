/** What requests are sent within the venue's limits, through the real client and a venue that counts. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createBinanceExchange } from "./binance-adapter.ts";
import { Budget } from "./budget.ts";
import { NotAskedError } from "./not-asked.ts";
import type { Exchange } from "./port.ts";

const RATE_LIMITS = [
  { rateLimitType: "REQUEST_WEIGHT", interval: "MINUTE", intervalNum: 1, limit: 2_400 },
  { rateLimitType: "ORDERS", interval: "MINUTE", intervalNum: 1, limit: 1_200 },
  { rateLimitType: "ORDERS", interval: "SECOND", intervalNum: 10, limit: 300 },
];

let headers: Record<string, string>;
let rateLimits: unknown;
let status: number;
let requests: string[];
const server = createServer((request, reply) => {
  const path = request.url?.replace(/\?.*/, "") ?? "";
  if (path === "/fapi/v1/time") {
    // In the middle of a minute and of its 10 s, so that no window of the venue begins between request and answer.
    reply.end(JSON.stringify({ serverTime: 1_795_692_025_000 }));
    return;
  }
  requests.push(`${request.method} ${path}`);
  const body =
    path === "/fapi/v1/exchangeInfo"
      ? { symbols: [], rateLimits }
      : status === 200
        ? []
        : { code: -1003, msg: "Too many requests" };
  reply.writeHead(status, headers).end(JSON.stringify(body));
});
let baseUrl = "";
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

let exchange: Exchange;
let budget: Budget;
beforeEach(async () => {
  [headers, rateLimits, status, requests] = [{}, RATE_LIMITS, 200, []];
  budget = new Budget();
  const client = { baseUrl, apiKey: "key", apiSecret: "secret", timeoutMs: 3_000, recvWindowMs: 5_000 };
  exchange = createBinanceExchange({ ...client, budget });
  await exchange.rules();
  await exchange.serverTime();
  requests = [];
});

const place = () =>
  exchange.placeReduceOnlyMarket({
    symbol: "BTCUSDT",
    side: "SELL",
    quantity: "1",
    clientOrderId: "qp-1",
    timestampMs: exchange.now(),
    recvWindowMs: 5_000,
  });

describe("a request", () => {
  it("is not sent where others have used its class's share of the weight", async () => {
    headers = { "X-MBX-USED-WEIGHT-1M": "1796" };
    await exchange.openOrders("BTCUSDT");
    await expect(exchange.as("audit").openOrders()).rejects.toThrow(
      "not asked: 1796 of the exchange's limit weight_1m of 2400 are used, and requests of class audit stop at 1200",
    );
    await exchange.as("refresh").openOrders("BTCUSDT");
    await expect(exchange.as("refresh").positions("BTCUSDT")).rejects.toMatchObject({
      retryAfterMs: expect.any(Number) as number,
    });
    await exchange.positions();
    expect(requests).toEqual([
      "GET /fapi/v1/openOrders",
      "GET /fapi/v1/openOrders",
      "GET /fapi/v3/positionRisk",
    ]);
    expect(exchange.problems()).toEqual([]);
  });

  it("may be of another class each time", async () => {
    headers = { "X-MBX-USED-WEIGHT-1M": "1796" };
    await exchange.openOrders("BTCUSDT");
    let requestClass: "refresh" | "catch_up" = "refresh";
    const reading = exchange.as(() => requestClass);
    await expect(reading.positions("BTCUSDT")).rejects.toThrow("requests of class refresh stop at 1800");
    requestClass = "catch_up";
    await reading.positions("BTCUSDT");
    expect(requests.at(-1)).toBe("GET /fapi/v3/positionRisk");
  });

  it("weighs what the venue documents, although its answers do not tell", async () => {
    // 1 of exchangeInfo, 1 of the time.
    for (let n = 0; n < 26; n++) await exchange.as("audit").openOrders();
    for (let n = 0; n < 31; n++) await exchange.as("audit").positions("BTCUSDT");
    await expect(exchange.as("audit").positions("BTCUSDT")).rejects.toThrow("not asked: 1197 of");
  });

  it("that is refused tells the count as well", async () => {
    status = 400;
    headers = { "X-MBX-USED-WEIGHT-1M": "1201" };
    await expect(exchange.hedgeMode()).rejects.toThrow("-1003");
    expect(budget.peak("weight_1m")).toBeCloseTo(0.5, 2);
  });

  it("is never held by a simulator that has no limits", async () => {
    rateLimits = undefined;
    await exchange.rules();
    headers = { "X-MBX-USED-WEIGHT-1M": "100000" };
    await exchange.openOrders();
    await exchange.as("audit").openOrders();
    expect(requests).toHaveLength(3);
  });
});

describe("a reading of several requests", () => {
  const read = () =>
    exchange.as("refresh").within(11, async () => {
      await exchange.as("refresh").openOrders("BTCUSDT");
      await exchange.as("refresh").positions("BTCUSDT");
      await exchange.as("refresh").trades("BTCUSDT");
    });

  it("is not begun if there is no room for all of them", async () => {
    // 2 are spent; of class refresh 1,800 may be.
    budget.spend({ weight_1m: 1_788 });
    await expect(read()).rejects.toBeInstanceOf(NotAskedError);
    expect(requests).toEqual([]);
    await exchange.as("refresh").positions("BTCUSDT");
  });

  it("has all its room, however many begin at once", async () => {
    budget.spend({ weight_1m: 1_798 - 3 * 11 });
    const readings = await Promise.allSettled(Array.from({ length: 10 }, read));
    expect(readings.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    expect(requests).toHaveLength(9);
  });

  it("gives back what it has not needed, also if it fails", async () => {
    budget.spend({ weight_1m: 1_798 - 11 });
    const failing = exchange.as("refresh").within(11, async () => {
      await exchange.as("refresh").openOrders("BTCUSDT");
      throw new Error("torn");
    });
    await expect(failing).rejects.toThrow("torn");
    await expect(read()).rejects.toThrow("not asked: 1790 of");
    for (const _ of [1, 2]) await exchange.as("refresh").positions("BTCUSDT");
  });

  it("finds room for what it needs beyond that as any other does", async () => {
    budget.spend({ weight_1m: 1_798 - 16 });
    const longer = exchange.as("refresh").within(11, async () => {
      for (const _ of [1, 2, 3, 4]) await exchange.as("refresh").trades("BTCUSDT");
    });
    await expect(longer).rejects.toThrow("not asked: 1800 of");
    expect(requests).toHaveLength(3);
  });
});

describe("an order", () => {
  it("finds no room where 90 % of the account's orders are used, by whomever", async () => {
    headers = { "X-MBX-ORDER-COUNT-10S": "269", "X-MBX-ORDER-COUNT-1M": "269" };
    expect(exchange.reserveOrder()).toBe(true);
    await place();
    expect(exchange.hasRoomForOrder()).toBe(true);
    expect(exchange.reserveOrder()).toBe(true);
    expect(exchange.hasRoomForOrder()).toBe(false);
    expect(exchange.reserveOrder()).toBe(false);
    // The check is made before the claim; what was claimed is sent.
    await place();
    expect(requests).toEqual(["POST /fapi/v1/order", "POST /fapi/v1/order"]);
  });

  it("of an exit is counted, and never refused, like its reads", async () => {
    headers = {
      "X-MBX-ORDER-COUNT-10S": "300",
      "X-MBX-ORDER-COUNT-1M": "300",
      "X-MBX-USED-WEIGHT-1M": "2400",
    };
    expect(exchange.reserveOrder()).toBe(true);
    await place();
    expect(exchange.reserveOrder()).toBe(false);
    const exit = exchange.as("exit");
    const spent = () => budget.draws().map(({ spent }) => spent);
    const [weight = 0, perMinute = 0, per10s = 0] = spent();
    expect([exit.hasRoomForOrder(), exit.reserveOrder()]).toEqual([true, true]);
    await exit.openAlgoOrders();
    expect(spent()).toEqual([weight + 40, perMinute + 1, per10s + 1]);
  });
});
