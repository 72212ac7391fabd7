/** What becomes of a cancellation by the venue's answer to it, through the real client. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createBinanceExchange } from "./binance-adapter.ts";

const ID = "8389765519826112345";
const ALGO_ID = "3000000000003505";

interface Answer {
  status?: number;
  body: string;
}
/** Undefined: no answer at all. */
let answers: (Answer | undefined)[];
let requests: { method: string | undefined; path: string; query: URLSearchParams }[];
const server = createServer((request, reply) => {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://venue");
  if (pathname === "/fapi/v1/time") {
    reply.end(JSON.stringify({ serverTime: Date.now() }));
    return;
  }
  requests.push({ method: request.method, path: pathname, query: searchParams });
  const answer = answers.shift();
  if (answer) reply.writeHead(answer.status ?? 200).end(answer.body);
});
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  answers = [];
  requests = [];
});

const connect = (timeoutMs = 3_000) =>
  createBinanceExchange({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    apiKey: "key",
    apiSecret: "secret",
    timeoutMs,
    recvWindowMs: 5_000,
  });
const cancelOrder = (exchange = connect()) => exchange.cancelOrder("ETHUSDT", ID);
const cancelAlgoOrder = (exchange = connect()) => exchange.cancelAlgoOrder("ETHUSDT", ALGO_ID);

const error = (code: number, msg: string, status = 400): Answer => ({
  status,
  body: JSON.stringify({ code, msg }),
});
const order = (status: string, orderId = ID): Answer => ({
  body: `{"orderId":${orderId},"status":"${status}","executedQty":"1","symbol":"ETHUSDT"}`,
});

describe("a cancellation", () => {
  it("names the order by all digits of its id, an algo order without a symbol", async () => {
    answers = [order("CANCELED"), { body: `{"algoId":${ALGO_ID},"code":"200","msg":"success"}` }];
    expect(await cancelOrder()).toEqual({ outcome: "cancelled" });
    expect(await cancelAlgoOrder()).toEqual({ outcome: "cancelled" });
    expect(requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "DELETE /fapi/v1/order",
      "DELETE /fapi/v1/algoOrder",
    ]);
    const [first, second] = requests.map(({ query }) => Object.fromEntries(query));
    expect(first).toMatchObject({ symbol: "ETHUSDT", orderId: ID });
    expect(second).toMatchObject({ algoId: ALGO_ID });
    expect(second).not.toHaveProperty("symbol");
  });

  it.each([
    ["does not know the order", error(-2011, "Unknown order sent.")],
    ["says that it does not exist", error(-2013, "Order does not exist.")],
    ["does not list the symbol", error(-1121, "Invalid symbol.")],
  ])("finds it gone if the venue %s, which is no problem of the venue", async (_, answer) => {
    for (const cancel of [cancelOrder, cancelAlgoOrder]) {
      const exchange = connect();
      answers = [answer];
      expect(await cancel(exchange)).toEqual({ outcome: "gone" });
      expect(exchange.problems()).toEqual([]);
    }
  });

  it.each(["FILLED", "EXPIRED", "REJECTED"])("finds an order gone that is %s", async (status) => {
    answers = [order(status)];
    expect(await cancelOrder()).toEqual({ outcome: "gone" });
  });

  it.each([
    [
      "another refusal under the same code",
      error(-2011, "Order was not canceled due to cancel restrictions."),
      -2011,
    ],
    ["a refusal", error(-2015, "Invalid API-key, IP, or permissions for action.", 401), -2015],
    [
      "a failure",
      error(-1001, "Internal error; unable to process your request. Please try again.", 503),
      -1001,
    ],
    ["a backend timeout", error(-1007, "Timeout waiting for response from backend server.", 408), -1007],
    ["an empty answer", { body: "" }, undefined],
    ["an order that is still open", order("PENDING_CANCEL"), undefined],
    ["another order's answer", order("CANCELED", "77"), undefined],
    ["no word of its status", { body: `{"orderId":${ID}}` }, undefined],
  ])("has failed, so that the order may still wait, after %s", async (_, answer, code) => {
    answers = [answer];
    expect(await cancelOrder()).toEqual({ outcome: "failed", code, message: expect.stringMatching(/./) });
  });

  it.each([
    ["no success", `{"algoId":${ALGO_ID},"code":"-2011","msg":"odd"}`],
    ["another order's success", '{"algoId":77,"code":"200","msg":"success"}'],
    ["no code", `{"algoId":${ALGO_ID}}`],
  ])("of an algo order has failed after an answer with %s", async (_, body) => {
    answers = [{ body }];
    expect(await cancelAlgoOrder()).toMatchObject({ outcome: "failed" });
  });

  it("has failed if there is no answer, and none is sent during a pause", async () => {
    answers = [undefined, error(-1003, "Way too many requests; IP banned.", 418)];
    const exchange = connect(100);
    expect(await cancelOrder(exchange)).toMatchObject({ outcome: "failed", code: undefined });
    expect(await cancelOrder(exchange)).toMatchObject({ outcome: "failed", code: -1003 });
    for (const cancel of [cancelOrder, cancelAlgoOrder])
      expect(await cancel(exchange)).toMatchObject({
        outcome: "failed",
        message: expect.stringContaining("not asked") as string,
      });
    expect(requests).toHaveLength(2);
  });

  it("that came at a wrong time by our clock is repeated once with the clock set", async () => {
    answers = [error(-1021, "Timestamp for this request is outside of the recvWindow."), order("CANCELED")];
    expect(await cancelOrder()).toEqual({ outcome: "cancelled" });
    expect(requests).toHaveLength(2);
  });
});
