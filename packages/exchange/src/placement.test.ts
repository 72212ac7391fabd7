/** What becomes of an order by the venue's answer to it, through the real client. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBinanceExchange } from "./binance-adapter.ts";
import type { Exchange } from "./port.ts";

let body: string;
const server = createServer((_, reply) => void reply.end(body));
let exchange: Exchange;
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  exchange = createBinanceExchange({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    apiKey: "key",
    apiSecret: "secret",
    timeoutMs: 3_000,
    recvWindowMs: 5_000,
  });
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const ID = "8389765519826112345";
const SENT = { symbol: "SOLUSDT", clientOrderId: "qp-00000000000000aa-1" };
const NAMED = `"symbol":"${SENT.symbol}","clientOrderId":"${SENT.clientOrderId}"`;

function answered(json: string) {
  body = json;
  return exchange.placeReduceOnlyMarket({
    ...SENT,
    side: "SELL",
    quantity: "1.5",
    timestampMs: exchange.now(),
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
