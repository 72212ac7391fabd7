/** Case 9: what a signed request to the exchange costs the process that makes it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { createBinanceExchange } from "@quantum/exchange";
import type { Bench, Case } from "../bench.ts";

/** As the exchange answers a query of an order. */
const ANSWER = JSON.stringify({
  orderId: 1234567890123,
  symbol: "BTCUSDT",
  status: "FILLED",
  clientOrderId: "qp-00000000000000aa-1",
  price: "0.00",
  avgPrice: "105000.10",
  origQty: "0.010",
  executedQty: "0.010",
  cumQuote: "1050.00100",
  timeInForce: "GTC",
  type: "MARKET",
  reduceOnly: true,
  closePosition: false,
  side: "SELL",
  positionSide: "BOTH",
  stopPrice: "0.00",
  workingType: "CONTRACT_PRICE",
  priceProtect: false,
  origType: "MARKET",
  priceMatch: "NONE",
  selfTradePreventionMode: "NONE",
  goodTillDate: 0,
  time: 1795692523301,
  updateTime: 1795692523301,
});
/** In a process of its own, so that its cost is not counted. */
const SERVER = `
  const server = require("node:http").createServer((_, reply) => reply.end(process.env.ANSWER));
  server.keepAliveTimeout = 60000;
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;
const CONCURRENT = 8;
const WARMUP = 2_000;
const REQUESTS = 20_000;
const QUICK_REQUESTS = 2_000;

export const client: Case = async (bench) => {
  const server = spawn(process.execPath, ["-e", SERVER], {
    env: { ANSWER },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const agent = new Agent({ keepAlive: true });
  try {
    const [port] = (await once(server.stdout, "data")) as [Buffer];
    const baseUrl = `http://127.0.0.1:${String(port).trim()}`;
    const exchange = createBinanceExchange({
      baseUrl,
      apiKey: "key",
      apiSecret: "secret",
      timeoutMs: 3_000,
      recvWindowMs: 5_000,
    });
    for (let repeat = 0; repeat < bench.repeats; repeat++) {
      await measure(bench, "pipeline", () => exchange.order("BTCUSDT", "qp-00000000000000aa-1"));
      // What no client can be cheaper than, as long as it is on node:http.
      await measure(bench, "node:http alone, unsigned and unread", () => fetched(baseUrl, agent));
    }
  } finally {
    agent.destroy();
    server.kill();
  }
};

async function fetched(url: string, agent: Agent): Promise<void> {
  const [answer] = (await once(get(url, { agent }), "response")) as [IncomingMessage];
  answer.resume();
  await once(answer, "end");
}

async function measure(bench: Bench, system: string, send: () => Promise<unknown>): Promise<void> {
  bench.progress(`client: ${system}`);
  const sendAll = (count: number) => {
    let left = count;
    const one = async () => {
      while (left > 0) {
        left -= 1;
        await send();
      }
    };
    return Promise.all(Array.from({ length: CONCURRENT }, one));
  };
  await sendAll(WARMUP);
  const requests = bench.size === "quick" ? QUICK_REQUESTS : REQUESTS;
  const [before, startedAt] = [process.cpuUsage(), performance.now()];
  await sendAll(requests);
  const used = process.cpuUsage(before);
  bench.results.add(
    { case: "client", load: `${CONCURRENT} at once`, system },
    {
      "cpu a request, µs": (used.user + used.system) / requests,
      "requests a second": (requests * 1_000) / (performance.now() - startedAt),
    },
  );
}
