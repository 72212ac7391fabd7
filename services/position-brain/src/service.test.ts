import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort, type ServiceProcess, startService } from "@quantum/harness";
import { keys, planFields, resultFields, type Rig, startRig } from "./rig.fixture.ts";

const [PLAN, SECOND, THIRD] = ["0123456789abcdef", "fedcba9876543210", "00000000000000ff"];
const PATIENCE_MS = 15_000;

let rig: Rig;
let service: ServiceProcess;

const environment = () => ({
  REDIS_URL: rig.server.url,
  BINANCE_BASE_URL: rig.sim.url,
  BINANCE_TESTNET_API_KEY: "sim-key",
  BINANCE_TESTNET_API_SECRET: "sim-secret",
  P33_METRICS_PORT: "0",
  P33_ALLOWLIST: "BTCUSDT, ETHUSDT",
  P33_POLL_SEC: "0.5",
  P33_LOG_LEVEL: "DEBUG",
});

beforeAll(async () => {
  rig = await startRig();
  service = await startService("position-brain", environment());
});

afterAll(async () => {
  await service.stop();
  await rig.stop();
});

describe("position-brain as a process", () => {
  it("has its snapshots before it is ready, and answers a plan that has no record", async () => {
    expect(await rig.redis.hgetall(keys.snapshot("ETHUSDT"))).toMatchObject({
      position_amt: "-1.850",
      side: "SHORT",
      source: "exchange-sim",
    });
    await rig.redis.xadd(keys.streams.plan, "*", ...planFields(PLAN, "BTCUSDT"));
    const answer = await service.waitForLog((record) => record["plan"] === PLAN, PATIENCE_MS);
    expect(answer.msg).toBe(`BTCUSDT: P3.3 ALLOW plan ${PLAN} (safe_qty=0.046, exchange_amt=0.062)`);
    expect(await rig.redis.get(keys.permit("p33", PLAN))).toMatch(
      /^\{"allow": true, "symbol": "BTCUSDT", "safe_close_qty": 0\.046, "safe_qty": 0\.046, "exchange_position_amt": 0\.062, "ledger_amt": 0\.062, "reason": "sanity_checks_passed", "created_at": [\d.]+, "attempt": "[\d-]+"\}$/,
    );
  });

  it("books the plan's result, then pauses the symbol", async () => {
    const { orderId } = await rig.order("BTCUSDT", "SELL", "0.046");
    const more = { order_id: orderId, executed_qty: "0.046", settled_at_ms: String(Date.now()) };
    await rig.redis.xadd(keys.streams.result, "*", ...resultFields(PLAN, "BTCUSDT", more));
    await service.waitForLog((record) => record.msg === "result settled", PATIENCE_MS);
    expect(await rig.redis.hgetall(keys.ledger("BTCUSDT"))).toMatchObject({
      last_known_amt: "0.016",
      last_order_id: orderId,
      last_result_plan_id: PLAN,
      origin: "trades",
    });
    await rig.redis.xadd(keys.streams.plan, "*", ...planFields(SECOND, "BTCUSDT"));
    const answer = await service.waitForLog((record) => record["plan"] === SECOND, PATIENCE_MS);
    expect(answer["reason"]).toBe("cooldown_in_flight");
  });

  it("goes on refreshing by itself", async () => {
    const version = Number((await rig.pairs.read("ETHUSDT")).version);
    await rig.move("ETHUSDT", "-1.900");
    await expect
      .poll(async () => (await rig.pairs.read("ETHUSDT")).ledger?.amt, { timeout: PATIENCE_MS })
      .toBe("-1.9");
    expect(Number((await rig.pairs.read("ETHUSDT")).version)).toBeGreaterThan(version);
  });

  it("tells its state to Prometheus and to /readyz", async () => {
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toContain('p33_permit_allow_total{symbol="BTCUSDT"} 1');
    expect(metrics).toContain('p33_permit_deny_total{symbol="BTCUSDT",reason="cooldown_in_flight"} 1');
    expect(metrics).toContain('p33_exchange_position_amt{symbol="ETHUSDT"} -1.9');
    expect(metrics).toContain('p33_ledger_position_amt{symbol="ETHUSDT"} -1.9');
    expect(metrics).toMatch(/p33_snapshot_age_seconds\{symbol="BTCUSDT"\} \d/);
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
  });

  it("is not ready while the exchange is away or wants no requests, and says so", async () => {
    const answer = async () => (await fetch(`${service.url}/readyz`)).text();
    const path = "GET /fapi/v3/positionRisk";
    // While its stream is up, it asks the exchange for nothing.
    await rig.streamFault({ kind: "disconnect", ms: 120_000 });
    await rig.fault({ kind: "503_before", path, count: 4 });
    await expect
      .poll(answer, { timeout: PATIENCE_MS })
      .toContain("the exchange gave no usable answer: HTTP 503");
    await rig.clearStreamFaults();
    await expect.poll(answer, { timeout: PATIENCE_MS }).toContain('"ready"');
    await rig.streamFault({ kind: "disconnect", ms: 120_000 });
    await rig.fault({ kind: "429", ms: 3_000, path });
    await expect
      .poll(answer, { timeout: PATIENCE_MS })
      .toMatch(/"the exchange wants no requests for \d+ s: HTTP 429/);
    await rig.clearStreamFaults();
    await expect.poll(answer, { timeout: PATIENCE_MS }).toContain('"ready"');
  });

  it("reads and writes nothing where its port is taken", async () => {
    const taken = { P33_METRICS_PORT: String(rig.server.port), REDIS_URL: `${rig.server.url}/1` };
    const second = startService("position-brain", { ...environment(), ...taken });
    await expect(second).rejects.toThrow("address already in use");
    expect(await rig.redis.info("keyspace")).not.toContain("db1");
  });

  it("waits for an exchange that is only starting", async () => {
    await rig.fault({ kind: "503_before", path: "GET /fapi/v1/positionSide/dual" });
    await rig.fault({ kind: "503_before", path: "GET /fapi/v1/openOrders", count: 2 });
    const early = await startService("position-brain", environment());
    expect(early.logs.map(({ msg }) => msg)).toContain("waiting for the exchange");
    await early.stop();
  });

  it("honours a pause from its start on, asks and promises nothing and says why, until an operator ends it", async () => {
    const pause = keys.exchangePause("requests");
    await rig.redis.set(pause, '{"reason": "banned", "since_ms": 1}', "PX", 600_000);
    const url = `http://127.0.0.1:${await freePort()}`;
    const starting = startService("position-brain", {
      ...environment(),
      P33_METRICS_PORT: new URL(url).port,
    });
    const problems = (of: string) => async () => {
      const answer = await fetch(`${of}/readyz`).catch(() => undefined);
      return answer === undefined ? "" : JSON.stringify(await answer.json());
    };
    for (const of of [url, service.url])
      await expect
        .poll(problems(of), { timeout: 2 * PATIENCE_MS })
        .toMatch(/wants no requests for \d+ s: banned/);
    await rig.redis.xadd(keys.streams.plan, "*", ...planFields(THIRD, "ETHUSDT"));
    const answer = await service.waitForLog((record) => record["plan"] === THIRD, PATIENCE_MS);
    expect(answer["reason"]).toBe("exchange_paused");
    const asked = await rig.requests();
    const leftSec = async () => Number(/for (\d+) s: banned/.exec(await problems(url)())?.[1]);
    const firstSec = await leftSec();
    await expect.poll(leftSec, { timeout: PATIENCE_MS }).toBeLessThan(firstSec);
    expect(await rig.requests()).toEqual(asked);
    // As `permitctl exchange resume` does.
    await rig.redis.set(pause, '{"resumed_ms": 1}', "PX", 60_000);
    const early = await starting;
    await expect.poll(problems(service.url), { timeout: PATIENCE_MS }).toContain('"ready"');
    await early.stop();
  });

  it("ends by itself when asked to", async () => {
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  });
});
