/** For tests of the adapter against the simulator: each test gets its own venue and client. */
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type BinanceOptions, createBinanceExchange, type Exchange, type Placement } from "@quantum/exchange";
import { afterEach, beforeEach } from "vitest";
import type { Fault } from "./faults.ts";
import type { SimAlgoOrder, SimOrder, SimTrade } from "./records.ts";
import { createExchangeSim, type ExchangeSim } from "./server.ts";

const KEY = "sim-key";
const SECRET = "sim-secret";
/** For tests without an answer. Other tests may take longer on a busy machine. */
export const IMPATIENT_MS = 150;
export const POLL = { timeout: 10_000 };

export let exchange: Exchange;
let sim: ExchangeSim;
let skewMs = 0;

export const simUrl = () => sim.url;

export function useExchangeSim(): void {
  beforeEach(async () => {
    skewMs = 0;
    const now = () => Date.now() + skewMs;
    // Its tests look at what became of an order.
    sim = createExchangeSim({ apiKey: KEY, apiSecret: SECRET, now, orderAnswer: "result" });
    await sim.listen();
    exchange = connect();
  });
  afterEach(() => sim.close());
}

/** Steps the venue's clock. */
export function skewVenue(byMs: number): void {
  skewMs = byMs;
}

export function connect(options: Partial<BinanceOptions> = {}): Exchange {
  return createBinanceExchange({
    baseUrl: sim.url,
    apiKey: KEY,
    apiSecret: SECRET,
    timeoutMs: 3000,
    recvWindowMs: 5000,
    ...options,
  });
}

let lastOrder = 0;
export const nextId = () => `qp-0123456789abcdef-${(lastOrder += 1)}`;

export function place(
  symbol = "BTCUSDT",
  over: Partial<Parameters<Exchange["placeReduceOnlyMarket"]>[0]> = {},
  at = exchange,
): Promise<Placement> {
  return at.placeReduceOnlyMarket({
    symbol,
    side: symbol === "ETHUSDT" ? "BUY" : "SELL",
    quantity: "0.010",
    clientOrderId: nextId(),
    timestampMs: at.now(),
    recvWindowMs: 5000,
    ...over,
  });
}

export async function placed(symbol: string, over = {}) {
  const placement = await place(symbol, over);
  if (placement.outcome !== "answered") throw new Error(`placement ended ${placement.outcome}`);
  return placement.order;
}

export async function control(method: string, path: string, body?: object): Promise<unknown> {
  const answer = await fetch(`${sim.url}${path}`, {
    method,
    ...(body ? { body: JSON.stringify(body), headers: { "content-type": "application/json" } } : {}),
  });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

export const fault = (order: Partial<Fault>) => control("POST", "/sim/faults", order);

interface State {
  orders: SimOrder[];
  algoOrders: SimAlgoOrder[];
  trades: SimTrade[];
  requests: Record<string, number>;
}
export const state = async () => (await control("GET", "/sim/state")) as State;
export const apiOrders = async () => (await state()).orders.filter((order) => order.origin === "api");

/** A server that answers with `listener` until `test` ends. */
export async function withServer(
  listener: RequestListener,
  test: (baseUrl: string) => Promise<void>,
): Promise<void> {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await test(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
