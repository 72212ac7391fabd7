import { createKeys, utcDay } from "@quantum/contract";
import { createIssuer } from "@quantum/permits";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { type Entry, fieldsOf } from "@quantum/streams";
import { startRedisServer, type TestRedis } from "@quantum/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Rules } from "./decide.ts";
import { Governor, type GovernorEvents, type GovernorOptions } from "./handler.ts";

const SYMBOL = "BTCUSDT";
const keys = createKeys();
const RULES: Rules = {
  killScoreCritical: 0.8,
  executionsPerHour: 100,
  executionsPer5Min: 100,
  notionalPerDay: 10n ** 30n,
  qtyPerDay: 10n ** 30n,
};
const { totals } = keys.reservations("governor", SYMBOL);
let server: TestRedis;
let redis: RedisClient;
let plans = 0;

beforeAll(async () => {
  server = await startRedisServer();
  redis = connectForCommands({ url: server.url, name: "governor-test", onError: () => undefined });
});
afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});
beforeEach(async () => {
  await redis.flushall();
  for (const stream of [keys.streams.plan, keys.streams.result]) {
    await redis.xgroup("CREATE", stream, "governor", "0", "MKSTREAM");
  }
  await writeSnapshot("0.004", "100000");
});

const writeSnapshot = (position_amt: string, mark_price: string) =>
  redis.hset(keys.snapshot(SYMBOL), { position_amt, mark_price, ts_epoch: String(Date.now() / 1000) });

const issuerOn = (client: RedisClient) =>
  createIssuer({
    redis: client,
    keys,
    issuer: "governor",
    group: "governor",
    permitTtlSec: 60,
    denialTtlSec: 3_600,
    reserveTtlMs: 120_000,
  });

function governorWith(options: Partial<GovernorOptions> = {}) {
  const governor = new Governor({
    redis,
    keys,
    issuer: issuerOn(redis),
    rules: RULES,
    disarmOn: { burstBreach: true, errors: 2 },
    simulate: async () => "answer",
    ...options,
  });
  const disarms: GovernorEvents["disarmed"][0][] = [];
  governor.on("disarmed", (disarm) => disarms.push(disarm));
  return { governor, disarms };
}
const burstOf = (executionsPer5Min: number) => ({ rules: { ...RULES, executionsPer5Min } });

async function deliver(stream: string, fields: Record<string, string>, at = "*"): Promise<Entry> {
  await redis.xadd(stream, at, ...Object.entries(fields).flat());
  const reply = (await redis.xreadgroup("GROUP", "governor", "consumer", "STREAMS", stream, ">")) as
    | [string, [string, string[]][]][]
    | null;
  const [id, flat] = reply?.[0]?.[1][0] ?? ["", []];
  return { id, fields: fieldsOf(flat), deliveries: 1 };
}
/** As the Python apply-layer publishes it: no fields of ours, no record. */
const publishPlan = (fields: Record<string, string> = {}) =>
  deliver(keys.streams.plan, {
    plan_id: (plans += 1).toString(16).padStart(16, "0"),
    symbol: SYMBOL,
    action: "PARTIAL_75",
    kill_score: "0.5",
    new_sl_proposed: "",
    decision: "EXECUTE",
    reason_codes: "",
    steps: '[{"step": "CLOSE_PARTIAL_75", "type": "market_reduce_only", "side": "close", "pct": 75.0}]',
    ...fields,
  });
const publishResult = (plan: Entry, fields: Record<string, string>, id?: string) =>
  deliver(
    keys.streams.result,
    {
      plan_id: planIdOf(plan),
      symbol: SYMBOL,
      decision: "EXECUTE",
      executed: "False",
      would_execute: "False",
      steps_results: "[]",
      error: "",
      ...fields,
    },
    id,
  );
const planIdOf = ({ fields }: Entry) => fields["plan_id"] ?? "";
const permitOf = (plan: Entry) => redis.get(keys.permit("governor", planIdOf(plan)));
const blockOf = async (plan: Entry) =>
  JSON.parse((await redis.get(keys.block("governor", planIdOf(plan)))) ?? "null") as {
    reason: string;
  } | null;
const pendingEntries = async (stream: string) => ((await redis.xpending(stream, "governor")) as [number])[0];

describe("a plan", () => {
  it("is permitted with quantity and notional of the snapshot", async () => {
    const plan = await publishPlan();
    expect(await governorWith().governor.answerPlan(plan)).toEqual({ kind: "done" });
    expect(await permitOf(plan)).toMatch(
      /^\{"granted": true, "symbol": "BTCUSDT", "decision": "EXECUTE", "computed_qty": 0.003, "computed_notional": 300.0, "consumed": false, "created_at": /,
    );
    expect(await pendingEntries(keys.streams.plan)).toBe(0);
  });

  it("that is not to be executed is only acknowledged", async () => {
    const plan = await publishPlan({ decision: "SKIP", steps: "[]" });
    expect(await governorWith().governor.answerPlan(plan)).toEqual({ kind: "ack" });
    expect(await permitOf(plan)).toBeNull();
    expect(await blockOf(plan)).toBeNull();
  });

  it("that cannot be read goes to the dead letters", async () => {
    const plan = await publishPlan({ kill_score: "high", plan_id: "X" });
    expect(await governorWith().governor.answerPlan(plan)).toMatchObject({
      kind: "dead",
      reason: expect.stringContaining("kill_score: not a number"),
    });
  });

  it("is blocked without a permit key if the snapshot is missing or of another type", async () => {
    await redis.del(keys.snapshot(SYMBOL));
    const missing = await publishPlan();
    await governorWith().governor.answerPlan(missing);
    await redis.set(keys.snapshot(SYMBOL), "text");
    const unreadable = await publishPlan();
    await governorWith().governor.answerPlan(unreadable);
    for (const plan of [missing, unreadable]) {
      expect(await blockOf(plan)).toMatchObject({ reason: "position_fetch_failed", symbol: SYMBOL });
      expect(await permitOf(plan)).toBeNull();
    }
  });

  it("is denied or dropped as simulated", async () => {
    const denied = await publishPlan();
    await governorWith({ simulate: async () => "deny" }).governor.answerPlan(denied);
    expect(await blockOf(denied)).toMatchObject({ reason: "simulated_denial" });
    const dropped = await publishPlan();
    expect(await governorWith({ simulate: async () => "drop" }).governor.answerPlan(dropped)).toEqual({
      kind: "ack",
    });
    expect(await redis.xlen(keys.streams.permit)).toBe(1);
  });

  it("is left pending when Redis is away", async () => {
    const plan = await publishPlan();
    const away = connectForCommands({ url: server.url, name: "away", onError: () => undefined });
    await disconnect(away);
    await expect(
      governorWith({
        redis: away,
        issuer: issuerOn(away),
      }).governor.answerPlan(plan),
    ).rejects.toThrow("Connection is closed");
    expect(await pendingEntries(keys.streams.plan)).toBe(1);
  });
});

describe("a result", () => {
  it("is charged by our own quantity and price", async () => {
    const { governor } = governorWith();
    const plan = await publishPlan();
    await governor.answerPlan(plan);
    const result = await publishResult(plan, {
      executed: "True",
      outcome: "EXECUTED",
      executed_qty: "0.002",
      avg_price: "99000",
    });
    expect(await governor.settleResult(result)).toEqual({ kind: "done" });
    expect(await redis.hgetall(totals)).toMatchObject({
      "reserved:qty": "0",
      "reserved:notional": "0",
      "charged:qty": "200000",
      "charged:notional": "19800000000",
    });
    expect(await pendingEntries(keys.streams.result)).toBe(0);
  });

  it("that corrects one which released the reservation is charged without it, once", async () => {
    const { governor } = governorWith();
    const plan = await publishPlan();
    await governor.answerPlan(plan);
    const reason = "not_placed_by_evidence";
    const denied = await publishResult(plan, { outcome: "NOT_PLACED", reason });
    await governor.settleResult(denied);
    expect(await redis.hgetall(totals)).toMatchObject({ "reserved:qty": "0" });
    const correction = await publishResult(plan, {
      executed: "True",
      outcome: "EXECUTED",
      executed_qty: "0.002",
      avg_price: "99000",
      corrects: denied.id,
    });
    for (const _ of [1, 2]) expect(await governor.settleResult(correction)).toEqual({ kind: "done" });
    expect(await redis.hgetall(totals)).toMatchObject({
      "reserved:qty": "0",
      "charged:qty": "200000",
      "charged:notional": "19800000000",
    });
  });

  it("of the Python apply-layer is charged by its steps at the snapshot's price", async () => {
    const { governor } = governorWith();
    const plan = await publishPlan();
    await governor.answerPlan(plan);
    await governor.settleResult(
      await publishResult(plan, {
        executed: "True",
        steps_results: '[{"status": "success", "executed_qty": "0.001"}]',
      }),
    );
    expect(await redis.hgetall(totals)).toMatchObject({
      "reserved:qty": "0",
      "charged:qty": "100000",
      "charged:notional": "10000000000",
    });
  });

  it("without an order releases the reservation, and frees its slot", async () => {
    const { governor } = governorWith(burstOf(1));
    const first = await publishPlan();
    await governor.answerPlan(first);
    await governor.settleResult(await publishResult(first, { decision: "BLOCKED", error: "missing_p33" }));
    const second = await publishPlan();
    await governor.answerPlan(second);
    expect(await permitOf(second)).not.toBeNull();
  });

  it("that cannot be read goes to the dead letters", async () => {
    const result = await publishResult(await publishPlan(), { steps_results: "?" });
    expect(await governorWith().governor.settleResult(result)).toMatchObject({ kind: "dead" });
  });
});

describe("the disarm", () => {
  it("follows a burst: nothing is permitted until an operator deletes the keys", async () => {
    const { governor, disarms } = governorWith(burstOf(1));
    for (const reason of [undefined, "burst_limit_exceeded", "disarmed"]) {
      const plan = await publishPlan();
      await governor.answerPlan(plan);
      expect((await blockOf(plan))?.reason).toBe(reason);
    }
    expect(disarms).toMatchObject([{ reason: "burst_limit_breach", context: { symbol: SYMBOL } }]);
    expect(await redis.xlen(keys.streams.governorEvents)).toBe(1);

    await redis.del(keys.disarm, keys.disarmOf(utcDay(Date.now())));
    const plan = await publishPlan();
    await governorWith().governor.answerPlan(plan);
    expect(await permitOf(plan)).not.toBeNull();
  });

  it("does not follow a burst when that rule is off", async () => {
    const { governor, disarms } = governorWith({
      ...burstOf(0),
      disarmOn: { burstBreach: false, errors: Infinity },
    });
    await governor.answerPlan(await publishPlan());
    expect(disarms).toEqual([]);
    expect(await redis.exists(keys.disarm)).toBe(0);
  });

  it("follows repeated errors of the account, and plans that cannot be evaluated count with them", async () => {
    const { governor, disarms } = governorWith();
    await governor.answerPlan(await publishPlan({ kill_score: "nan" }));
    expect(disarms).toEqual([]);
    const reason = "rejected_for_account";
    await governor.settleResult(
      await publishResult(await publishPlan(), { outcome: "REJECTED", error: reason, reason }),
    );
    expect(disarms).toMatchObject([{ reason: "repeated_errors", context: { errors: 2 } }]);
  });

  it("follows repeated errors of several symbols", async () => {
    const { governor, disarms } = governorWith();
    for (const symbol of [SYMBOL, "ETHUSDT"]) {
      const reason = "rejected_by_rules";
      const fields = { symbol, outcome: "REJECTED", error: reason, reason };
      await governor.settleResult(await publishResult(await publishPlan(), fields));
    }
    expect(disarms).toMatchObject([{ reason: "repeated_errors", context: { errors: 2 } }]);
  });

  it("does not follow one symbol's: that one is held, until an order of it is executed", async () => {
    const { governor, disarms } = governorWith();
    const result = async (fields: Record<string, string>) =>
      governor.settleResult(await publishResult(await publishPlan(), fields));
    const reason = "rejected_by_rules";
    for (let n = 0; n < 5; n++) await result({ outcome: "REJECTED", error: reason, reason });
    expect(disarms).toEqual([]);
    const plan = await publishPlan();
    await governor.answerPlan(plan);
    expect(await blockOf(plan)).toMatchObject({ reason: "orders_refused", context: { errors: 5 } });
    await result({ outcome: "EXECUTED", executed: "True", executed_qty: "0.001", avg_price: "1" });
    const next = await publishPlan();
    await governor.answerPlan(next);
    expect(await permitOf(next)).not.toBeNull();
  });

  it("does not count what no order was tried for, or a result twice", async () => {
    const { governor, disarms } = governorWith();
    const plan = await publishPlan();
    for (const fields of [
      { decision: "BLOCKED", error: "missing_p33" },
      { decision: "EXECUTE", error: "missing_both" },
      { outcome: "NOT_PLACED", error: "kill_switch_active" },
      { outcome: "NOT_PLACED", error: "execute_expired" },
      { would_execute: "True", outcome: "DRY_RUN" },
    ]) {
      await governor.settleResult(await publishResult(plan, fields));
    }
    const failed = await publishResult(plan, { error: "timeout" });
    await governor.settleResult(failed);
    await governor.settleResult(failed);
    expect(disarms).toEqual([]);
  });

  it("does not count the failures of a history that is read for the first time", async () => {
    const { governor, disarms } = governorWith();
    const plan = await publishPlan();
    for (const hoursAgo of [30, 20, 2]) {
      const id = `${Date.now() - hoursAgo * 3_600_000}-0`;
      await governor.settleResult(await publishResult(plan, { error: "timeout" }, id));
    }
    expect(disarms).toEqual([]);
  });
});
