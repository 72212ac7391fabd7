import { createKeys } from "@quantum/contract";
import { connectForCommands, disconnect } from "@quantum/redis";
import { startRedisServer, startService } from "@quantum/harness";
import { expect, it, vi } from "vitest";

const LONG = "BTCUSDT";
const SHORT = "ETHUSDT";
const LOG_MS = 5_000;

it("caps closes of a calm portfolio and in a cooldown that outlives a restart, and reports both, as a process", async () => {
  const keys = createKeys();
  const server = await startRedisServer();
  const redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
  const nowSec = String(Math.floor(Date.now() / 1000));
  for (const [symbol, position_amt, mark_price] of [
    [LONG, "0.5", "20000"],
    [SHORT, "-4", "2500"],
  ] as const) {
    await redis.hset(keys.snapshot(symbol), { position_amt, mark_price, ts_epoch: nowSec });
    await redis.hset(keys.proposal(symbol), { sigma: "0.01", last_update_epoch: nowSec });
  }
  let plans = 0;
  const publish = async (action: string, step: string, pct: number) => {
    const planId = (plans += 1).toString(16).padStart(16, "0");
    const steps = JSON.stringify([{ step, pct }]);
    const plan = { plan_id: planId, symbol: LONG, action, kill_score: "0.7", decision: "EXECUTE", steps };
    await redis.xadd(keys.streams.plan, "*", ...Object.entries(plan).flat());
    return planId;
  };
  const start = () =>
    startService("portfolio-gate", {
      REDIS_URL: server.url,
      P26_METRICS_PORT: "0",
      P26_ALLOWLIST: `${LONG},${SHORT}`,
    });
  // Published before the first start, because the group begins at 0.
  const full = await publish("FULL_CLOSE_PROPOSED", "CLOSE_FULL", 100);

  const first = await start();
  const allowed = await first.waitForLog(
    ({ msg }) => msg.includes(`${LONG}: p26 ALLOW plan ${full}`),
    LOG_MS,
  );
  expect(allowed).toMatchObject({ reason: "portfolio_cap_cold", capPct: "50", capQty: "0.25" });
  expect(JSON.parse((await redis.get(keys.permit("p26", full))) ?? "")).toMatchObject({
    allow: true,
    computed_qty: 0.25,
  });
  const order = '[{"step": "CLOSE_FULL", "status": "success", "executed_qty": "0.25"}]';
  await redis.xadd(
    keys.streams.result,
    "*",
    ...["plan_id", full, "symbol", LONG, "decision", "EXECUTE", "executed", "True", "steps_results", order],
  );
  const { executions } = keys.reservations("p26", LONG);
  await vi.waitFor(async () => expect(await redis.zcard(executions)).toBe(1), LOG_MS);
  const metrics = await (await fetch(`${first.url}/metrics`)).text();
  for (const line of [
    `p26_permit_allow_total{symbol="${LONG}"} 1`,
    'p26_plans_seen_total{action_proposed="FULL_CLOSE_PROPOSED"} 1',
    'p26_actions_downgraded_total{from_action="FULL_CLOSE_PROPOSED",to_action="PARTIAL_50",reason="portfolio_cap_cold"} 1',
    "p26_concentration 0",
    "p26_corr_proxy 0",
    "p26_total_abs_notional 20000",
  ])
    expect(metrics).toContain(line);
  const gauge = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(metrics)?.[1]);
  expect(gauge("p26_heat")).toBeCloseTo(0.5);
  expect(gauge("p26_stress")).toBeCloseTo(0.3);
  expect(await first.stop()).toEqual({ code: 0, signal: null });

  const second = await start();
  const quarter = await publish("PARTIAL_25", "CLOSE_PARTIAL_25", 25);
  await second.waitForLog(
    ({ msg }) => msg.includes(`DENY plan ${quarter} reason=portfolio_cooldown`),
    LOG_MS,
  );
  await redis.del(keys.snapshot(SHORT));
  const blind = await publish("PARTIAL_25", "CLOSE_PARTIAL_25", 25);
  await second.waitForLog(
    ({ msg }) => msg.includes(`DENY plan ${blind} reason=portfolio_state_unknown`),
    LOG_MS,
  );
  expect((await fetch(`${second.url}/readyz`)).status).toBe(200);
  const later = await (await fetch(`${second.url}/metrics`)).text();
  for (const line of [
    `p26_permit_deny_total{symbol="${LONG}",reason="portfolio_cooldown"} 1`,
    'p26_actions_downgraded_total{from_action="PARTIAL_25",to_action="HOLD",reason="portfolio_cooldown"} 1',
    'p26_fail_closed_total{reason="snapshot_missing"} 1',
    "p26_stress NaN",
  ])
    expect(later.toLowerCase()).toContain(line.toLowerCase());
  expect(await second.stop()).toEqual({ code: 0, signal: null });
  await disconnect(redis);
  await server.stop();
});
