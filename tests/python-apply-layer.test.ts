/**
 * Our issuers beside an apply-layer that does on the wire what the Python one does: no record, no attempt, permits read and
 * deleted by key, a result for everything, and no memory of an order but its dedupe mark.
 */
import { setTimeout as delay } from "node:timers/promises";
import { createKeys } from "@quantum/contract";
import { createBinanceExchange, type Exchange } from "@quantum/exchange";
import { createExchangeSim } from "@quantum/exchange-sim";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { type ServiceProcess, startRedisServer, startService, type TestRedis } from "@quantum/harness";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { unfinished } from "./groups.ts";

const keys = createKeys();
/** Longer than the live one's, for a busy machine. */
const WAIT_MS = 5_000;
const STEP_MS = 20;
const START_MS = 30_000;
const SETTLED = { timeout: 15_000, interval: 20 };
const RECV_WINDOW_MS = 5_000;

let server: TestRedis;
let redis: RedisClient;
let sim: ReturnType<typeof createExchangeSim>;
let exchange: Exchange;
const services: ServiceProcess[] = [];
let orders = 0;

beforeAll(async () => {
  server = await startRedisServer();
  redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
  sim = createExchangeSim({ strategy: false, orderAnswer: "result" });
  await sim.listen();
  const account = { apiKey: "sim-key", apiSecret: "sim-secret" };
  exchange = createBinanceExchange({
    baseUrl: sim.url,
    ...account,
    timeoutMs: 3_000,
    recvWindowMs: RECV_WINDOW_MS,
  });
  const environment = {
    REDIS_URL: server.url,
    BINANCE_BASE_URL: sim.url,
    BINANCE_TESTNET_API_KEY: account.apiKey,
    BINANCE_TESTNET_API_SECRET: account.apiSecret,
  };
  services.push(
    ...(await Promise.all([
      startService("governor", {
        ...environment,
        METRICS_PORT: "0",
        GOV_MAX_REDUCE_NOTIONAL_PER_DAY_USD: "1e9",
      }),
      startService("position-brain", {
        ...environment,
        P33_METRICS_PORT: "0",
        P33_ALLOWLIST: "BTCUSDT,ETHUSDT",
        P33_COOLDOWN_SEC: "0",
      }),
    ])),
  );
}, START_MS);
afterAll(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await disconnect(redis);
  await sim.close();
  await server.stop();
});

const CLOSE = '[{"step": "CLOSE_PARTIAL_75", "type": "market_reduce_only", "side": "close", "pct": 75.0}]';
const UPDATE_SL = '[{"step": "UPDATE_SL", "type": "stop_loss_order", "price": 101.5}]';
const seconds = () => String(Math.floor(Date.now() / 1000));

const publishPlan = (plan_id: string, symbol: string, steps = CLOSE) =>
  redis.xadd(
    keys.streams.plan,
    "*",
    ...["plan_id", plan_id, "symbol", symbol, "action", steps === CLOSE ? "PARTIAL_75" : "UPDATE_SL"],
    ...["kill_score", "0.5", "k_regime_flip", "0.0", "k_sigma_spike", "0.0", "k_ts_drop", "0.0"],
    ...["k_age_penalty", "0.0", "new_sl_proposed", "", "R_net", "7.0", "decision", "EXECUTE"],
    ...["reason_codes", "", "steps", steps, "close_qty", "0.0", "price", "", "timestamp", seconds()],
  );
const publishResult = (plan_id: string, symbol: string, fields: Record<string, string>) =>
  redis.xadd(
    keys.streams.result,
    "*",
    ...Object.entries({
      plan_id,
      symbol,
      decision: "EXECUTE",
      executed: "False",
      would_execute: "False",
      steps_results: "[]",
      error: "",
      ...fields,
      timestamp: seconds(),
    }).flat(),
  );

/** Publishes the plan unless its dedupe mark is there, waits for both permits, sends. @returns what became of it */
async function apply(planId: string, symbol: string, steps = CLOSE): Promise<string> {
  if ((await redis.setnx(keys.dedupe(planId), seconds())) === 0) {
    await publishResult(planId, symbol, { decision: "SKIP" });
    return "skipped";
  }
  await publishPlan(planId, symbol, steps);
  const permits = [keys.permit("governor", planId), keys.permit("p33", planId)] as const;
  for (
    const until = performance.now() + WAIT_MS;
    (await redis.exists(...permits)) < 2;
    await delay(STEP_MS)
  ) {
    if (performance.now() < until) continue;
    await publishResult(planId, symbol, { decision: "BLOCKED", error: "permit_timeout_or_missing" });
    return "missing";
  }
  const [, p33] = await redis.mget(...permits);
  await redis.del(...permits);
  const permit = JSON.parse(p33 ?? "") as { allow: boolean; reason?: string; safe_close_qty: number };
  if (!permit.allow) {
    await publishResult(planId, symbol, { decision: "BLOCKED", error: "p33_permit_denied" });
    return `denied ${permit.reason}`;
  }
  const result = steps === CLOSE ? await send(symbol, String(permit.safe_close_qty)) : NOT_IMPLEMENTED;
  await publishResult(planId, symbol, { executed: "True", steps_results: JSON.stringify([result]) });
  return result.status;
}
const NOT_IMPLEMENTED = { step: "UPDATE_SL", status: "not_implemented" };

async function send(symbol: string, quantity: string) {
  const side = symbol === "ETHUSDT" ? ("BUY" as const) : ("SELL" as const);
  const placed = await exchange.placeReduceOnlyMarket({
    symbol,
    side,
    quantity,
    clientOrderId: `python-${(orders += 1)}`,
    timestampMs: exchange.now(),
    recvWindowMs: RECV_WINDOW_MS,
  });
  if (placed.outcome !== "answered") return { step: "CLOSE_PARTIAL_75", status: "error" };
  const { orderId, executedQty } = placed.order;
  return {
    step: "CLOSE_PARTIAL_75",
    status: "success",
    order_id: orderId,
    side,
    quantity,
    executed_qty: executedQty,
  };
}

/** What the operators run; nothing of ours is in it that protects against a second order. */
async function operatorsReset(): Promise<void> {
  const names = await redis.keys("quantum:apply:*");
  if (names.length > 0) await redis.del(...names);
}
const booked = (planId: string) =>
  Promise.all(["governor", "p33"].map((issuer) => redis.get(keys.booked(issuer, planId))));
const governed = async (symbol: string) => {
  const { open, executions, totals } = keys.reservations("governor", symbol);
  const charged = (await redis.hget(totals, "charged:qty")) ?? "0";
  return { open: await redis.hlen(open), executions: await redis.zcard(executions), charged };
};

it("a plan is executed once, whatever the operators' reset makes their apply-layer forget", async () => {
  const plan = "67e6da21fa9fe506";
  expect(await apply(plan, "BTCUSDT")).toBe("success");
  await vi.waitFor(async () => {
    expect(await booked(plan)).toEqual([
      expect.stringMatching(/^executed /),
      expect.stringMatching(/^executed /),
    ]);
    expect(await governed("BTCUSDT")).toEqual({ open: 0, executions: 1, charged: "4600000" });
    expect(await redis.hget(keys.ledger("BTCUSDT"), "last_known_amt")).toBe("0.016");
  }, SETTLED);
  expect(await apply(plan, "BTCUSDT")).toBe("skipped");
  await operatorsReset();
  // P3.3 says so where Python reads it; the governor's no is a permit that does not come.
  expect(await apply(plan, "BTCUSDT")).toMatch(/^(missing|denied already_executed)$/);
  expect(orders).toBe(1);
  expect(await redis.get(keys.block("governor", plan))).toContain("already_executed");
  expect(await redis.get(keys.permit("p33", plan))).toMatch(/"allow": false.*already_executed/);
  expect(await redis.exists(keys.permit("governor", plan))).toBe(0);
});

describe("dry runs", () => {
  const DRY_RUNS = 8;
  const plansFrom = (first: number) =>
    Array.from({ length: DRY_RUNS }, (_, index) => (first + index).toString(16).padStart(16, "0"));
  const publishDryRun = (plan: string) =>
    publishResult(plan, "ETHUSDT", {
      would_execute: "True",
      steps_results: '[{"step": "CLOSE_PARTIAL_75", "status": "would_execute"}]',
    });
  async function whatIsLeft() {
    const { plan, result } = keys.streams;
    await vi.waitFor(async () => expect(await unfinished(redis, { plan, result })).toEqual([]), SETTLED);
    const { totals } = keys.reservations("p33", "ETHUSDT");
    return {
      ...(await governed("ETHUSDT")),
      reserved: (await redis.hget(totals, "reserved:qty")) ?? "0",
      disarms: await redis.exists(keys.disarm),
    };
  }
  const NOTHING = { open: 0, executions: 0, charged: "0", reserved: "0", disarms: 0 };

  it("whose results come a millisecond after their plans use up no limit and disarm nothing", async () => {
    for (const plan of plansFrom(0xd0)) {
      await publishPlan(plan, "ETHUSDT");
      await publishDryRun(plan);
    }
    expect(await whatIsLeft()).toEqual(NOTHING);
  });

  it("whose results come after the answers release what was reserved, and disarm nothing", async () => {
    const plans = plansFrom(0xe0);
    for (const plan of plans) await publishPlan(plan, "ETHUSDT");
    const answers = plans.flatMap((plan) => [keys.permit("governor", plan), keys.block("governor", plan)]);
    await vi.waitFor(async () => expect(await redis.exists(...answers)).toBe(DRY_RUNS), SETTLED);
    // The burst limit: each of them might have become an order.
    expect(await governed("ETHUSDT")).toEqual({ open: 2, executions: 2, charged: "0" });
    for (const plan of plans) await publishDryRun(plan);
    expect(await whatIsLeft()).toEqual(NOTHING);
  });
});

it("an UPDATE_SL uses up nothing and starts no cooldown", async () => {
  const plan = "3f58da1bdb590b3b";
  expect(await apply(plan, "ETHUSDT", UPDATE_SL)).toBe("not_implemented");
  await vi.waitFor(
    async () => expect((await booked(plan)).map((mark) => mark?.split(" ")[0])).toEqual(["ended", "ended"]),
    SETTLED,
  );
  expect(await governed("ETHUSDT")).toEqual({ open: 0, executions: 0, charged: "0" });
  expect(await redis.hget(keys.ledger("ETHUSDT"), "last_result_plan_id")).toBe("");
  expect(await apply("0000000000000eee", "ETHUSDT")).toBe("success");
});
