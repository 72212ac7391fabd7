/** What the tests run on: a real Redis, the simulated exchange over HTTP, and the real client. */
import { createKeys } from "@quantum/contract";
import { Budget, createBinanceExchange, type Exchange, Pauses } from "@quantum/exchange";
import { createExchangeSim, type Fault } from "@quantum/exchange-sim";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { Partitions } from "@quantum/service-kit";
import { startRedisServer } from "@quantum/harness";
import type { Pair } from "./pair.ts";
import { createPairStore } from "./pair-store.ts";
import { PairRefresh } from "./refresh.ts";

export const keys = createKeys();
const RECV_WINDOW_MS = 5_000;
export const UNLISTED = "GONEUSDT";

/** The wire's layout. */
export const onePartition = (redis: RedisClient) =>
  new Partitions([{ number: 0, name: "", keys, redis, connectForBlocking: () => redis }]);

export type Rig = Awaited<ReturnType<typeof startRig>>;

export async function startRig() {
  const server = await startRedisServer();
  const redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
  const sim = createExchangeSim({ strategy: false, orderAnswer: "result" });
  await sim.listen();
  const [pauses, budget] = [new Pauses(), new Budget()];
  const exchange = createBinanceExchange({
    baseUrl: sim.url,
    apiKey: "sim-key",
    apiSecret: "sim-secret",
    timeoutMs: 3_000,
    recvWindowMs: RECV_WINDOW_MS,
    pauses,
    budget,
  });
  const pairs = createPairStore({ partitions: onePartition(redis), source: "exchange-sim" });
  let orders = 0;

  const control = async (path: string, body?: object, method = body && "POST"): Promise<unknown> => {
    const answer = await fetch(`${sim.url}${path}`, {
      ...(method && { method }),
      ...(body && {
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      }),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  };

  return {
    server,
    redis,
    sim,
    exchange,
    pauses,
    budget,
    pairs,
    refresher: (allowlist = ["BTCUSDT", "ETHUSDT"], through: Exchange = exchange) =>
      new PairRefresh({
        exchange: through,
        audits: through,
        pairs,
        allowlist: new Set(allowlist),
        isListed: (symbol) => symbol !== UNLISTED,
      }),
    /** Simulates another of our refreshes that stores something else. */
    async rewrite(symbol: string, change: (pair: Pair) => Pair): Promise<void> {
      const { version, snapshot, ledger } = await pairs.read(symbol);
      if (snapshot === undefined || ledger === undefined) throw new Error(`${symbol} has no pair`);
      await pairs.store(symbol, version, change({ snapshot, ledger }));
    },
    /** Somebody else moves the position, with or without a trade that shows it. */
    move: (symbol: string, positionAmt: string, traded = true) =>
      control("/sim/positions", { symbol, positionAmt, traded }),
    fault: (fault: Partial<Fault>) => control("/sim/faults", fault),
    streamFault: (fault: object) => control("/sim/stream-faults", fault),
    clearStreamFaults: () => control("/sim/stream-faults", undefined, "DELETE"),
    requests: async () => ((await control("/sim/state")) as { requests: Record<string, number> }).requests,
    /** Places a reduce-only order of ours and returns the exchange's answer. */
    async order(symbol: string, side: "BUY" | "SELL", quantity: string) {
      orders += 1;
      const placement = await exchange.placeReduceOnlyMarket({
        symbol,
        side,
        quantity,
        clientOrderId: `qp-0123456789abcdef-${orders}`,
        timestampMs: exchange.now(),
        recvWindowMs: RECV_WINDOW_MS,
      });
      if (placement.outcome !== "answered") throw new Error(`the order ended ${placement.outcome}`);
      return placement.order;
    },
    async stop() {
      await disconnect(redis);
      await sim.close();
      await server.stop();
    },
  };
}

/** The fields of an `apply.plan` entry, flat. */
export function planFields(planId: string, symbol: string, more: Record<string, string> = {}): string[] {
  return Object.entries({
    plan_id: planId,
    symbol,
    action: "PARTIAL_75",
    kill_score: "0.5",
    decision: "EXECUTE",
    reason_codes: "",
    steps: '[{"step": "CLOSE_PARTIAL_75", "type": "market_reduce_only", "side": "close", "pct": 75.0}]',
    ...more,
  }).flat();
}

/** The fields of an `apply.result` entry, flat. */
export function resultFields(planId: string, symbol: string, more: Record<string, string> = {}): string[] {
  return Object.entries({
    plan_id: planId,
    symbol,
    decision: "EXECUTE",
    executed: "True",
    would_execute: "False",
    steps_results: "[]",
    error: "",
    timestamp: String(Math.floor(Date.now() / 1000)),
    ...(more["executed"] === "False" ? {} : { outcome: "EXECUTED" }),
    ...more,
  }).flat();
}
