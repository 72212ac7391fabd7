import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createKeys } from "@quantum/contract";
import { createExchangeSim, type ExchangeSim } from "@quantum/exchange-sim";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { type ServiceProcess, startRedisServer, startService, type TestRedis } from "@quantum/testkit";

const keys = createKeys();
const PLAN = "0123456789abcdef";

let server: TestRedis;
let sim: ExchangeSim;
let redis: RedisClient;
let service: ServiceProcess;

const environment = () => ({
  REDIS_URL: server.url,
  BINANCE_BASE_URL: sim.url,
  BINANCE_TESTNET_API_KEY: "sim-key",
  BINANCE_TESTNET_API_SECRET: "sim-secret",
  P33_METRICS_PORT: "0",
  P33_ALLOWLIST: "BTCUSDT, ETHUSDT",
});

beforeAll(async () => {
  server = await startRedisServer();
  sim = createExchangeSim({ strategy: false });
  await sim.listen();
  redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
  service = await startService("position-brain", environment());
});

afterAll(async () => {
  await service.stop();
  await disconnect(redis);
  await sim.close();
  await server.stop();
});

describe("position-brain as a process", () => {
  it("has its snapshots before it is ready, and answers a plan that has no record", async () => {
    expect(await redis.hgetall(keys.snapshot("ETHUSDT"))).toMatchObject({
      position_amt: "-1.850",
      side: "SHORT",
      source: "exchange-sim",
    });
    await redis.xadd(keys.streams.plan, "*", ...planFields(PLAN, "BTCUSDT"));
    await service.waitForLog((record) => record["plan"] === PLAN, 5_000);
    expect(await redis.get(keys.permit("p33", PLAN))).toMatch(
      /^\{"allow": true, "symbol": "BTCUSDT", "safe_close_qty": 0\.046, "safe_qty": 0\.046, "exchange_position_amt": 0\.062, "ledger_amt": 0\.062, "reason": "sanity_checks_passed", "created_at": [\d.]+, "attempt": "[\d-]+"\}$/,
    );
  });

  it("tells its state to Prometheus and to /readyz", async () => {
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toContain('p33_permit_allow_total{symbol="BTCUSDT"} 1');
    expect(metrics).toContain('p33_exchange_position_amt{symbol="ETHUSDT"} -1.85');
    expect(metrics).toContain('p33_ledger_position_amt{symbol="ETHUSDT"} -1.85');
    expect(metrics).toMatch(/p33_snapshot_age_seconds\{symbol="BTCUSDT"\} \d/);
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
  });
});

function planFields(planId: string, symbol: string): string[] {
  return Object.entries({
    plan_id: planId,
    symbol,
    action: "PARTIAL_75",
    kill_score: "0.5",
    decision: "EXECUTE",
    reason_codes: "",
    steps: '[{"step": "CLOSE_PARTIAL_75", "type": "market_reduce_only", "side": "close", "pct": 75.0}]',
  }).flat();
}
