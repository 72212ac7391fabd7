/** When the venue accepts no requests, according to its answers, through the real client. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createBinanceExchange } from "./binance-adapter.ts";
import { Pauses } from "./pauses.ts";
import type { ExchangeError } from "./port.ts";

let answer: { status: number; headers?: Record<string, string>; body: string };
let requests = 0;
const server = createServer((request, reply) => {
  if (request.url?.includes("fapi/v1/time") === true) {
    reply.end(JSON.stringify({ serverTime: Date.now() + skewMs }));
    return;
  }
  requests += 1;
  reply.writeHead(answer.status, answer.headers).end(answer.body);
});
let url = "";
let skewMs = 0;
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  requests = 0;
  skewMs = 0;
});

const connect = (pauses = new Pauses()) =>
  createBinanceExchange({
    baseUrl: url,
    apiKey: "key",
    apiSecret: "secret",
    timeoutMs: 3_000,
    recvWindowMs: 5_000,
    pauses,
  });
const banned = (untilMs: number | string) =>
  JSON.stringify({
    code: -1003,
    msg: `Way too many requests; IP(203.0.113.7) banned until ${untilMs}. Please`,
  });

/** The pause that an answer asks for, in whole seconds; 0 for none. */
async function askedSec(told: Partial<typeof answer>): Promise<number> {
  answer = { status: 418, body: "{}", ...told };
  const exchange = connect();
  await exchange.positions().catch((error: unknown) => error as ExchangeError);
  return secondsOf(exchange.pause("requests")?.leftMs ?? 0);
}

/** Up, because the pause has been running since the answer; a clock may be off by a little. */
const secondsOf = (leftMs: number) => Math.ceil(Math.max(0, leftMs - 100) / 1_000);

describe("the end of a pause", () => {
  it("is the one that the text tells, whatever the status", async () => {
    for (const status of [418, 429, 403])
      expect(await askedSec({ status, body: banned(Date.now() + 150_000) })).toBe(151);
    expect(await askedSec({ body: banned(Math.floor(Date.now() / 1_000) + 150) })).toBeGreaterThanOrEqual(
      150,
    );
    expect(await askedSec({ body: `banned until ${Date.now() + 150_000}` })).toBe(151);
  });

  it("is told by the venue's clock", async () => {
    skewMs = -30_000;
    answer = { status: 418, body: banned(Date.now() + 120_000) };
    const exchange = connect();
    await exchange.serverTime();
    await exchange.positions().catch(() => undefined);
    expect(secondsOf(exchange.pause("requests")?.leftMs ?? 0)).toBe(151);
  });

  it("is told by Retry-After in seconds or as a date, and the later of two is meant", async () => {
    expect(await askedSec({ status: 429, headers: { "retry-after": "12" } })).toBe(12);
    expect(await askedSec({ status: 429, headers: { "retry-after": "1.9" } })).toBe(2);
    const date = new Date(Date.now() - 3_600_000);
    const after = new Date(date.getTime() + 40_000);
    const headers = { date: date.toUTCString(), "retry-after": after.toUTCString() };
    expect(await askedSec({ status: 429, headers })).toBe(41);
    expect(await askedSec({ headers: { "retry-after": "30" }, body: banned(Date.now() + 90_000) })).toBe(91);
    expect(await askedSec({ headers: { "retry-after": "300" }, body: banned(Date.now() + 90_000) })).toBe(
      300,
    );
  });

  it("is a minute away where it is not told, and a second where it has passed", async () => {
    expect(await askedSec({})).toBe(60);
    expect(await askedSec({ headers: { "retry-after": "soon" } })).toBe(60);
    expect(await askedSec({ body: banned("later") })).toBe(60);
    expect(await askedSec({ body: banned(Date.now() - 90_000) })).toBe(1);
  });

  it("is a minute away where the firewall refuses, and none is asked for where the venue does", async () => {
    expect(await askedSec({ status: 403, body: "<html>Request blocked</html>" })).toBe(60);
    expect(await askedSec({ status: 401, body: '{"code":-2015,"msg":"Invalid API-key"}' })).toBe(0);
  });
});

describe("a pause", () => {
  it("that is asked for elsewhere keeps every request here, and its end lets them through", async () => {
    const pauses = new Pauses();
    pauses.set("requests", { leftMs: 60_000, reason: "banned" });
    const exchange = connect(pauses);
    answer = { status: 200, body: "[]" };
    await expect(exchange.positions()).rejects.toThrow("banned");
    expect(exchange.problems()).toEqual([
      expect.stringMatching(/^the exchange wants no requests for \d+ s: banned$/),
    ]);
    expect(requests).toBe(0);
    pauses.set("requests", undefined);
    await exchange.positions();
    expect(exchange.problems()).toEqual([]);
  });

  it.each([400, 429])("of orders, asked for with status %i, keeps orders alone", async (status) => {
    const asked: unknown[] = [];
    const pauses = new Pauses();
    pauses.onAsked = (scope, { leftMs }) => asked.push([scope, leftMs]);
    const exchange = connect(pauses);
    answer = { status, body: '{"code":-1015,"msg":"Too many new orders."}' };
    await exchange.placeReduceOnlyMarket({
      symbol: "BTCUSDT",
      side: "SELL",
      quantity: "1",
      clientOrderId: "qp-1",
      timestampMs: exchange.now(),
      recvWindowMs: 5_000,
    });
    expect(asked).toEqual([["orders", 60_000]]);
    expect(exchange.pause("requests")).toBeUndefined();
    expect(exchange.pause("orders")?.reason).toContain("-1015");
    answer = { status: 200, body: "[]" };
    expect((await exchange.positions()).rows).toEqual([]);
  });

  it("is not shortened by a shorter one", () => {
    const pauses = new Pauses();
    pauses.ask("requests", { leftMs: 60_000, reason: "long" });
    pauses.ask("requests", { leftMs: 1_000, reason: "short" });
    expect(pauses.get("requests")?.reason).toBe("long");
  });
});
