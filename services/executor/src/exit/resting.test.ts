/** What waits at the venue, where its answers are not as expected, through the real client. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createBinanceExchange } from "@quantum/exchange";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createEvents } from "../events.ts";
import { cancelResting, readResting } from "./resting.ts";

const ORDER = { side: "BUY", type: "LIMIT", status: "NEW", origQty: "1", executedQty: "0", avgPrice: "0" };
const order = (symbol: string, orderId: number) => ({
  ...ORDER,
  symbol,
  orderId,
  reduceOnly: false,
  closePosition: false,
});
const algoOrder = (symbol: string, algoId: number) => ({
  symbol,
  algoId,
  side: "SELL",
  orderType: "STOP_MARKET",
  reduceOnly: false,
  closePosition: false,
});

const answers: Record<string, unknown> = {
  "GET /fapi/v1/openOrders": [order("BTCUSDT", 1), order("ETHUSDT", 2), { symbol: "SOLUSDT" }],
  "GET /fapi/v1/openAlgoOrders": [algoOrder("BTCUSDT", 3), algoOrder("ETHUSDT", 4), {}],
};
const cancelled: string[] = [];
const server = createServer((request, reply) => {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://venue");
  if (request.method === "DELETE") {
    const id = searchParams.get("orderId") ?? searchParams.get("algoId");
    cancelled.push(`${pathname} ${id}`);
    const answer = { orderId: Number(id), algoId: Number(id), status: "CANCELED", code: "200", msg: "" };
    reply.end(JSON.stringify(answer));
  } else reply.end(JSON.stringify(answers[`${request.method} ${pathname}`] ?? {}));
});
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const connect = () =>
  createBinanceExchange({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    apiKey: "key",
    apiSecret: "secret",
    timeoutMs: 3_000,
    recvWindowMs: 5_000,
  });

it("cancels no other symbol's orders, even if the venue lists them", async () => {
  const exit = { planId: "f".repeat(16), symbol: "BTCUSDT", step: "CLOSE_BY_OPERATOR" };
  await cancelResting({ exchange: connect(), events: createEvents() }, exit, () => true);
  expect(cancelled.toSorted()).toEqual(["/fapi/v1/algoOrder 3", "/fapi/v1/order 1"]);
});

it("names the orders that cannot be read, as far as they say whose they are", async () => {
  const { orders, unreadable, isComplete } = await readResting(connect());
  expect({ ids: orders.map(({ id }) => id), unreadable, isComplete }).toEqual({
    ids: ["1", "2", "3", "4"],
    unreadable: [
      { symbol: "SOLUSDT", kind: "order" },
      { symbol: "", kind: "algo" },
    ],
    isComplete: true,
  });
});
