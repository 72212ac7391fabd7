import { createKeys } from "@quantum/contract";
import { connectForCommands, disconnect } from "@quantum/redis";
import { startRedisServer, startService } from "@quantum/harness";
import { expect, it, vi } from "vitest";

const SYMBOL = "ETHUSDT";
const PLAN = "67e6da21fa9fe506";
const PROMISED_BESIDE = "3f58da1bdb590b3b";
const EXECUTED_BESIDE = "5c1ab27e0d6c4f10";
const LOG_MS = 5_000;

it("answers plans, disarms at a burst of orders and reports both, as a process", async () => {
  const keys = createKeys();
  const server = await startRedisServer();
  const redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
  const now = String(Date.now() / 1000);
  await redis.hset(keys.snapshot(SYMBOL), { position_amt: "-2", mark_price: "2500.5", ts_epoch: now });
  const publish = (planId: string) =>
    redis.xadd(
      keys.streams.plan,
      "*",
      ...["plan_id", planId, "symbol", SYMBOL, "action", "FULL_CLOSE_PROPOSED", "kill_score", "0.9"],
      ...["decision", "EXECUTE", "steps", '[{"step": "CLOSE_FULL", "pct": 100.0}]'],
    );
  // Published before the governor's first start, because its group begins at 0.
  await publish(PLAN);

  const governor = await startService("governor", {
    REDIS_URL: server.url,
    METRICS_PORT: "0",
    SYMBOLS: SYMBOL,
    GOV_MAX_EXEC_PER_5MIN: "1",
    GOV_MAX_REDUCE_NOTIONAL_PER_DAY_USD: "1000000",
    GOV_MAX_REDUCE_QTY_PER_DAY: "1000",
  });
  await governor.waitForLog(({ msg }) => msg.includes(`${SYMBOL}: ALLOW plan ${PLAN} `), LOG_MS);
  expect(JSON.parse((await redis.get(keys.permit("governor", PLAN))) ?? "")).toMatchObject({
    granted: true,
    computed_qty: 2,
    computed_notional: 5001,
  });

  const limits = () => redis.hgetall(keys.governorLimits);
  await expect.poll(limits).toMatchObject({ executions_5min: "1", qty_day: "1000" });

  await publish(PROMISED_BESIDE);
  const blocked = ` BLOCK plan ${PROMISED_BESIDE} reason=burst_limit_exceeded`;
  await governor.waitForLog(({ msg }) => msg.includes(blocked), LOG_MS);
  const order = '[{"step": "CLOSE_FULL", "status": "success", "executed_qty": "2"}]';
  await redis.xadd(
    keys.streams.result,
    "*",
    ...["plan_id", PLAN, "symbol", SYMBOL, "decision", "EXECUTE", "executed", "True", "steps_results", order],
  );
  const { totals } = keys.reservations("governor", SYMBOL);
  await vi.waitFor(async () => expect(await redis.hget(totals, "charged:qty")).toBe("200000000"), LOG_MS);
  expect(await redis.exists(keys.disarm)).toBe(0);

  await publish(EXECUTED_BESIDE);
  const disarmed = await governor.waitForLog(({ msg }) => msg.startsWith("AUTO_DISARM"), LOG_MS);
  expect(disarmed["rearm"]).toMatch(/^DEL quantum:governor:disarm quantum:governor:disarm:\d{4}-\d\d-\d\d$/);
  expect(await redis.exists(keys.disarm)).toBe(1);

  const ready = await fetch(`${governor.url}/readyz`);
  expect(ready.status).toBe(200);
  const metrics = await (await fetch(`${governor.url}/metrics`)).text();
  for (const line of [
    `quantum_govern_allow_total{symbol="${SYMBOL}"} 1`,
    `quantum_govern_block_total{symbol="${SYMBOL}",reason="burst_limit_exceeded"} 2`,
    `quantum_govern_disarm_total{reason="burst_limit_breach"} 1`,
    `quantum_govern_exec_count_hour{symbol="${SYMBOL}"} 1`,
    `quantum_govern_exec_count_5min{symbol="${SYMBOL}"} 1`,
    ...Object.entries({ executions_hour: 1, executions_5min: 1, notional_day: 5001, qty_day: 2 }).map(
      ([limit, used]) => `quantum_limit_used{symbol="${SYMBOL}",limit="${limit}"} ${used}`,
    ),
    ...Object.entries({ executions_hour: 3, executions_5min: 1, notional_day: 1e6, qty_day: 1000 }).map(
      ([limit, max]) => `quantum_limit_max{symbol="${SYMBOL}",limit="${limit}"} ${max}`,
    ),
    `quantum_plan_stage_seconds_count{stage="permit",issuer="governor"} 3`,
  ]) {
    expect(metrics).toContain(line);
  }
  expect(await governor.stop()).toEqual({ code: 0, signal: null });
  await disconnect(redis);
  await server.stop();
});
