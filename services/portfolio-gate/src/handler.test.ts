import { createKeys } from "@quantum/contract";
import { startRedisServer, type TestRedis } from "@quantum/harness";
import { IssuerHandlers } from "@quantum/issuer";
import { createIssuer, keepBooks } from "@quantum/permits";
import { connectForCommands, disconnect, type RedisClient, redisNow } from "@quantum/redis";
import { Partitions } from "@quantum/service-kit";
import { ACK, DONE, type Entry } from "@quantum/streams";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Rules } from "./decide.ts";
import { PortfolioGate } from "./handler.ts";
import { PortfolioReader } from "./reader.ts";

const keys = createKeys();
const BTC = "BTCUSDT";
const ETH = "ETHUSDT";
const SYMBOLS = [BTC, ETH];
const COOLDOWN_SEC = 60;
const RULES: Rules = { allowlist: new Set(SYMBOLS), coldBelow: 0.55, riskOffFrom: 0.8, hardKillScore: 0.85 };
const RESERVE_TTL_MS = 120_000;
const reservations = keys.reservations("p26", BTC);

let server: TestRedis;
let redis: RedisClient;
let plans = 0;

beforeAll(async () => {
  server = await startRedisServer();
  redis = connectForCommands({ url: server.url, name: "p26-test", onError: () => undefined });
});
afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});
beforeEach(async () => {
  await redis.flushall();
  for (const stream of [keys.streams.plan, keys.streams.result])
    await redis.xgroup("CREATE", stream, "p26", "0", "MKSTREAM");
  // All long, with usual volatility: stress 0.7, neither cold nor high.
  await hold(BTC, "0.062", "105000");
  await hold(ETH, "1.85", "3310");
});

async function hold(symbol: string, position_amt: string, mark_price: string, sigma = "0.01"): Promise<void> {
  const nowSec = Date.now() / 1000;
  await redis.hset(keys.snapshot(symbol), { position_amt, mark_price, ts_epoch: String(nowSec) });
  await redis.hset(keys.proposal(symbol), { sigma, last_update_epoch: String(Math.floor(nowSec)) });
}
/** As much long as short: stress 0.3. */
const calm = () => hold(ETH, "-1.967", "3310");

/** Like a new process: it only knows what is in Redis. */
function startGate(): IssuerHandlers {
  const reader = new PortfolioReader({
    partitions: new Partitions([{ number: 0, name: "", keys, redis, connectForBlocking: () => redis }]),
    proposals: undefined,
    issuer: "p26",
    symbols: SYMBOLS,
    sigmaRef: 0.05,
    cooldownSec: COOLDOWN_SEC,
  });
  return new IssuerHandlers({
    issuer: createIssuer({
      redis,
      keys,
      issuer: "p26",
      group: "p26",
      permitTtlSec: 60,
      denialTtlSec: 60,
      reserveTtlMs: RESERVE_TTL_MS,
    }),
    policy: new PortfolioGate(reader, RULES),
    simulate: async () => "answer",
    owns: () => true,
    now: () => redisNow(redis),
  });
}

async function publish(stream: string, fields: Record<string, string>, id = "*"): Promise<Entry> {
  const added = (await redis.xadd(stream, id, ...Object.entries(fields).flat())) ?? "";
  await redis.xreadgroup("GROUP", "p26", "consumer", "STREAMS", stream, ">");
  return { id: added, fields, deliveries: 1 };
}
const publishPlan = (pct: number, symbol = BTC, killScore = "0.7") =>
  publish(keys.streams.plan, {
    plan_id: (plans += 1).toString(16).padStart(16, "0"),
    symbol,
    action: pct === 100 ? "FULL_CLOSE_PROPOSED" : `PARTIAL_${pct}`,
    kill_score: killScore,
    decision: "EXECUTE",
    steps: JSON.stringify([{ step: pct === 100 ? "CLOSE_FULL" : `CLOSE_PARTIAL_${pct}`, pct }]),
  });
const publishResult = (changed: Record<string, string> = {}, id = "*") =>
  publish(
    keys.streams.result,
    {
      plan_id: (plans += 1).toString(16).padStart(16, "0"),
      symbol: BTC,
      decision: "EXECUTE",
      executed: "True",
      outcome: "EXECUTED",
      steps_results: '[{"step": "CLOSE_FULL", "status": "success", "executed_qty": "0.031"}]',
      ...changed,
    },
    id,
  );
const agoMs = (ms: number) => `${Date.now() - ms}-0`;

async function answer(plan: Entry, gate = startGate()): Promise<Record<string, unknown>> {
  expect(await gate.answerPlan(plan)).toEqual(DONE);
  const text = await redis.get(keys.permit("p26", plan.fields["plan_id"] ?? ""));
  return { text, ...(JSON.parse(text ?? "{}") as object) };
}

describe("a permit of P2.6", () => {
  it("has no cap where the portfolio sets none", async () => {
    const permit = await answer(await publishPlan(100));
    expect(permit).toMatchObject({ allow: true, symbol: BTC, reason: "portfolio_no_cap", stress: 0.7 });
    expect(permit).not.toHaveProperty("computed_qty");
  });

  it("caps a full close of a calm portfolio, in exact decimals, and says so in the stream", async () => {
    await calm();
    const plan = await publishPlan(100);
    const { text, ...permit } = await answer(plan);
    expect(permit).toMatchObject({ allow: true, reason: "portfolio_cap_cold", cap_pct: 50 });
    expect(text).toContain('"computed_qty": 0.031,');
    const [[, entry]] = (await redis.xrange(keys.streams.permit, "-", "+")) as [[string, string[]]];
    expect(entry.join(" ")).toContain("issuer p26 verdict granted reason portfolio_cap_cold");
    expect(await answer(await publishPlan(100, BTC, "0.9"))).toMatchObject({
      cap_pct: 75,
      computed_qty: 0.0465,
    });
  });

  it("is a denial while one symbol is not known, with what is wrong", async () => {
    await redis.del(keys.proposal(ETH));
    expect(await answer(await publishPlan(25))).toMatchObject({
      allow: false,
      reason: "portfolio_state_unknown",
      context: { flaw: "sigma_missing", symbol: ETH },
    });
    await hold(ETH, "1.85", "3310");
    await redis.del(keys.snapshot(BTC));
    await redis.set(keys.snapshot(BTC), "a text");
    expect(await answer(await publishPlan(25))).toMatchObject({
      reason: "portfolio_state_unknown",
      context: { flaw: "snapshot_unreadable", symbol: BTC },
    });
  });

  it("is given once, however often the plan is delivered", async () => {
    const plan = await publishPlan(75);
    await redis.hset(keys.plan(plan.fields["plan_id"] ?? ""), {
      state: "WAITING",
      attempt: plan.id,
      symbol: BTC,
    });
    await answer(plan);
    await calm();
    expect(await startGate().answerPlan(plan)).toEqual(DONE);
    expect(await redis.xlen(keys.streams.permit)).toBe(1);
  });

  it("costs one reading of the portfolio for all plans that come at once", async () => {
    const reads = async () => Number(/cmdstat_hmget:calls=(\d+)/.exec(await redis.info("commandstats"))?.[1]);
    const [gate, some] = [startGate(), await Promise.all([25, 50, 75, 100].map((pct) => publishPlan(pct)))];
    await answer(await publishPlan(50), gate);
    const one = await reads();
    await Promise.all(some.map((plan) => gate.answerPlan(plan)));
    const both = await reads();
    // The issuing script reads each plan's record.
    expect(both - one).toBe(2 * SYMBOLS.length + some.length);
    expect(await redis.xlen(keys.streams.permit)).toBe(5);
  });

  it("is not given to an entry that asks for none, nor one that cannot be read", async () => {
    const plan = await publishPlan(50);
    expect(await startGate().answerPlan({ ...plan, fields: { ...plan.fields, decision: "SKIP" } })).toEqual(
      ACK,
    );
    expect(await startGate().answerPlan({ ...plan, fields: {} })).toMatchObject({ kind: "dead" });
    expect(await redis.xlen(keys.streams.permit)).toBe(0);
  });
});

describe("the cooldown", () => {
  it("counts from an execution of the symbol, outlives a restart, and concerns no other symbol", async () => {
    expect(await startGate().settleResult(await publishResult())).toEqual(DONE);
    const restarted = startGate();
    expect(await answer(await publishPlan(75), restarted)).toMatchObject({
      reason: "portfolio_cap_cooldown",
      cap_pct: 50,
      computed_qty: 0.031,
    });
    expect(await answer(await publishPlan(25), restarted)).toMatchObject({
      allow: false,
      reason: "portfolio_cooldown",
    });
    expect(await answer(await publishPlan(75, ETH), restarted)).toMatchObject({ reason: "portfolio_no_cap" });
  });

  it("is over after its time", async () => {
    await startGate().settleResult(await publishResult({}, agoMs(COOLDOWN_SEC * 1000 + 1_000)));
    expect(await answer(await publishPlan(25))).toMatchObject({ reason: "portfolio_no_cap" });
    await startGate().settleResult(await publishResult({}, agoMs(COOLDOWN_SEC * 1000 - 20_000)));
    expect(await answer(await publishPlan(25))).toMatchObject({ reason: "portfolio_cooldown" });
  });

  it.each([
    ["blocked", { executed: "False", outcome: "BLOCKED", decision: "BLOCKED", steps_results: "[]" }],
    ["a dry run", { executed: "False", would_execute: "True", outcome: "DRY_RUN", steps_results: "[]" }],
    ["not placed", { executed: "False", outcome: "NOT_PLACED", steps_results: "[]" }],
  ])("does not begin with a plan that was %s", async (_, result) => {
    expect(await startGate().settleResult(await publishResult(result))).toEqual(DONE);
    expect(await answer(await publishPlan(25))).toMatchObject({ reason: "portfolio_no_cap" });
    expect(await redis.xpending(keys.streams.result, "p26")).toEqual([0, null, null, null]);
  });

  it("does not begin with an operator's exit", async () => {
    expect(await startGate().settleResult(await publishResult({ class: "operator" }))).toEqual(ACK);
    expect(await answer(await publishPlan(25))).toMatchObject({ reason: "portfolio_no_cap" });
    expect(await redis.exists(reservations.executions)).toBe(0);
  });

  it("begins once for a result that is delivered twice, and its books are right", async () => {
    const result = await publishResult({}, agoMs(COOLDOWN_SEC * 1000 - 20_000));
    await startGate().settleResult(result);
    await startGate().settleResult(result);
    expect(await redis.zrange(reservations.executions, 0, -1)).toEqual([`result:${result.id}`]);
    expect(await correctionsOf(BTC)).toEqual([]);
  });

  it("survives the loss of its times: the bookkeeping restores them from the charges", async () => {
    await startGate().settleResult(await publishResult());
    await redis.del(reservations.executions);
    expect(await correctionsOf(BTC)).toHaveLength(1);
    expect(await answer(await publishPlan(25))).toMatchObject({ reason: "portfolio_cooldown" });
  });

  it("denies while its times cannot be read", async () => {
    await redis.set(reservations.executions, "a text");
    expect(await answer(await publishPlan(100))).toMatchObject({
      reason: "portfolio_state_unknown",
      context: { flaw: "executions_unreadable", symbol: BTC },
    });
  });
});

async function correctionsOf(symbol: string): Promise<string[]> {
  const corrections: string[] = [];
  await keepBooks({
    redis,
    keys,
    issuer: "p26",
    reserveTtlMs: RESERVE_TTL_MS,
    charges: true,
    symbols: [symbol],
    onCorrection: ({ what }) => corrections.push(what),
  });
  return corrections;
}
