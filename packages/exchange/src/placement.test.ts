/** What becomes of an order by the venue's answer to it, through the real client. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createBinanceExchange } from "./binance-adapter.ts";
import { ERROR_CODES } from "./error-codes.ts";
import type { Exchange } from "./port.ts";

let body: string;
let status = 200;
const server = createServer((_, reply) => void reply.writeHead(status).end(body));
const connect = () =>
  createBinanceExchange({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    apiKey: "key",
    apiSecret: "secret",
    timeoutMs: 3_000,
    recvWindowMs: 5_000,
  });
let exchange: Exchange;
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  exchange = connect();
});
beforeEach(() => void (status = 200));
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const ID = "8389765519826112345";
const SENT = { symbol: "SOLUSDT", clientOrderId: "qp-00000000000000aa-1" };
const NAMED = `"symbol":"${SENT.symbol}","clientOrderId":"${SENT.clientOrderId}"`;

function answered(json: string, through = exchange) {
  body = json;
  return through.placeReduceOnlyMarket({
    ...SENT,
    side: "SELL",
    quantity: "1.5",
    timestampMs: through.now(),
    recvWindowMs: 5_000,
  });
}

describe("an order is acknowledged, and not in doubt,", () => {
  it.each([
    [
      "by an answer from before its fill",
      `${NAMED},"side":"SELL","status":"NEW","executedQty":"0","cumQty":"0"`,
    ],
    [
      "partly filled",
      `${NAMED},"side":"SELL","status":"PARTIALLY_FILLED","executedQty":"0.7","avgPrice":"9"`,
    ],
    ["by its ids", NAMED],
    ["by the venue's id alone", '"transactTime":1795692523301'],
    ["with fields that are null", '"symbol":null,"clientOrderId":null,"status":null,"executedQty":null'],
    ["filled, and the answer does not say how much", `${NAMED},"side":"SELL","status":"FILLED"`],
    [
      "filled with nothing",
      `${NAMED},"side":"SELL","status":"FILLED","executedQty":"0.00","avgPrice":"0.00"`,
    ],
    ["with a status that is not documented", `${NAMED},"side":"SELL","status":"NEW_ADL","executedQty":"1"`],
  ])("%s", async (_, rest) => {
    for (const orderId of [ID, `"${ID}"`])
      expect(await answered(`{"orderId":${orderId},${rest}}`)).toMatchObject({
        outcome: "acknowledged",
        orderId: ID,
      });
  });
});

describe("an order has ended", () => {
  it.each([
    ["with its price", '"executedQty":"1.5","avgPrice":"145.25","cumQuote":"217.875"', "145.25"],
    ["without a price", '"executedQty":"1.5"', ""],
    [
      "in numbers and with fields nobody knows",
      '"executedQty":1.5,"avgPrice":145.25,"priceMatch":"NONE"',
      "145.25",
    ],
  ])("%s", async (_, rest, avgPrice) => {
    const said = await answered(`{"orderId":${ID},${NAMED},"side":"SELL","status":"FILLED",${rest}}`);
    expect(said).toMatchObject({ outcome: "answered", order: { executedQty: "1.5", orderId: ID, avgPrice } });
  });

  it("by an answer that leaves out whose it is", async () => {
    const said = await answered(
      `{"orderId":${ID},"symbol":"SOLUSDT","side":"SELL","status":"EXPIRED","executedQty":"0"}`,
    );
    expect(said).toMatchObject({ outcome: "answered", order: { status: "EXPIRED", executedQty: "0" } });
  });
});

describe("an order is in doubt", () => {
  it.each([
    ["of another order", `{"orderId":${ID},"symbol":"SOLUSDT","clientOrderId":"qp-00000000000000ab-1"}`],
    ["of another symbol", `{"orderId":${ID},"symbol":"ETHUSDT"}`],
    ["without an id", `{${NAMED},"side":"SELL","status":"FILLED","executedQty":"1.5"}`],
    ["whose id is none", `{"orderId":-1,${NAMED}}`],
    ["that is no order", '{"code":200,"msg":"success"}'],
    ["that is a list", "[]"],
    ["that is null", "null"],
    ["that is empty", ""],
  ])("after an answer %s", async (_, json) => {
    expect(await answered(json)).toMatchObject({ outcome: "ambiguous" });
  });
});

describe("a refused order", () => {
  it("ends as the table says, for each code in it", async () => {
    status = 400;
    for (const [code, { errorClass }] of ERROR_CODES) {
      // A pause after one code would keep the next order from being sent.
      const placement = await answered(`{"code":${code},"msg":"said"}`, connect());
      const said = "code" in placement ? placement.code : code;
      expect([said, placement.outcome]).toEqual([code, errorClass]);
    }
  });

  it("by a ban waits until the ban's end, which only the text tells", async () => {
    status = 418;
    const through = connect();
    const msg = `Way too many requests; IP banned until ${Date.now() + 90_000}.`;
    const placement = await answered(JSON.stringify({ code: -1003, msg }), through);
    expect(placement).toMatchObject({ outcome: "retry_after" });
    // A second more than told, of which some has passed since the answer.
    const { leftMs = 0 } = through.pause("orders") ?? {};
    expect(leftMs).toBeGreaterThan(80_000);
    expect(leftMs).toBeLessThanOrEqual(91_100);
    expect(await answered("{}", through)).toMatchObject({ outcome: "retry_after" });
  });
});
