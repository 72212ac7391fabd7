import { type PlanEntry, utcDay } from "@quantum/contract";
import { disconnect } from "@quantum/redis";
import type { Entry } from "@quantum/streams";
import { openPartitions } from "@quantum/service-kit";
import { describe, expect, it } from "vitest";
import {
  RULES,
  blockOf,
  burstOf,
  connect,
  DRY_RUN,
  governorWith,
  issuerOn,
  keys,
  ORDER,
  pendingEntries,
  permitOf,
  publishPlan,
  publishResult,
  redis,
  reservations,
  stepsOf,
  SYMBOL,
  useRedis,
} from "./governor.fixture.ts";
import { Governor } from "./handler.ts";

const { totals } = reservations;

useRedis();

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

  it("is blocked without a permit key if the snapshot is missing or of the wrong type", async () => {
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
    const away = connect();
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
  it("follows a burst of orders: nothing is permitted until an operator deletes the keys", async () => {
    const { governor, disarms } = governorWith(burstOf(1));
    for (const reason of [undefined, "burst_limit_exceeded", "disarmed"]) {
      const plan = await publishPlan();
      await governor.answerPlan(plan);
      expect((await blockOf(plan))?.reason).toBe(reason);
      if (reason === undefined) await governor.settleResult(await publishResult(plan, ORDER));
    }
    expect(disarms).toMatchObject([{ reason: "burst_limit_breach", context: { symbol: SYMBOL } }]);
    expect(await redis.xlen(keys.streams.governorEvents)).toBe(1);

    await redis.del(keys.disarm, keys.disarmOf(utcDay(Date.now())));
    const plan = await publishPlan();
    await governorWith().governor.answerPlan(plan);
    expect(await permitOf(plan)).not.toBeNull();
  });

  it("is of every partition, whichever had the burst", async () => {
    const partitions = openPartitions(3, () => ({ redis, connectForBlocking: () => redis }));
    const disarmOn = { burstBreach: true, errors: Infinity };
    const plan = { plan_id: "0000000000000001", symbol: SYMBOL } as PlanEntry;
    const governor = new Governor({ partitions, rules: RULES, disarmOn });
    await governor.answered(plan, { kind: "denied", reason: "burst_limit_exceeded", byOrders: true });
    const disarmed = partitions.map(({ keys: its }) => redis.exists(its.disarm));
    expect(await Promise.all(disarmed)).toEqual([1, 1, 1]);
  });

  it("does not follow reservations, which deny and may come to nothing", async () => {
    const { governor, disarms } = governorWith(burstOf(2));
    const reserved = [await publishPlan(), await publishPlan()];
    for (const plan of reserved) await governor.answerPlan(plan);
    const denied = await publishPlan();
    await governor.answerPlan(denied);
    expect(await blockOf(denied)).toMatchObject({
      reason: "burst_limit_exceeded",
      context: { used: 2, adding: 1, max: 2, orders: 0 },
    });
    // One of the two becomes an order; the other is still a reservation.
    const [first, second] = reserved as [Entry, Entry];
    await governor.settleResult(await publishResult(first, ORDER));
    await governor.answerPlan(await publishPlan());
    expect(disarms).toEqual([]);
    await governor.settleResult(await publishResult(second, ORDER));
    await governor.answerPlan(await publishPlan());
    expect(disarms).toMatchObject([{ reason: "burst_limit_breach" }]);
  });

  it("does not follow a limit of 0, which refuses without any order", async () => {
    const { governor, disarms } = governorWith(burstOf(0));
    const plan = await publishPlan();
    await governor.answerPlan(plan);
    expect(await blockOf(plan)).toMatchObject({ reason: "burst_limit_exceeded" });
    expect(disarms).toEqual([]);
  });

  it("does not follow a burst when that rule is off", async () => {
    const { governor, disarms } = governorWith({
      ...burstOf(1),
      disarmOn: { burstBreach: false, errors: Infinity },
    });
    const first = await publishPlan();
    await governor.answerPlan(first);
    await governor.settleResult(await publishResult(first, ORDER));
    const second = await publishPlan();
    await governor.answerPlan(second);
    expect(await blockOf(second)).toMatchObject({ reason: "burst_limit_exceeded", context: { orders: 1 } });
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
      { ...DRY_RUN, error: "no price" },
      { decision: "EXECUTE", error: "Binance testnet ping failed" },
    ]) {
      // With two symbols, because one alone would only be held.
      for (const symbol of [SYMBOL, "ETHUSDT"])
        await governor.settleResult(await publishResult(plan, { ...fields, symbol }));
    }
    const failed = await publishResult(plan, { steps_results: stepsOf("error") });
    await governor.settleResult(failed);
    await governor.settleResult(failed);
    expect(disarms).toEqual([]);
  });

  it("does not count the failures of a history that is read for the first time", async () => {
    const { governor, disarms } = governorWith();
    const plan = await publishPlan();
    for (const [hoursAgo, symbol] of [
      [30, SYMBOL],
      [20, "ETHUSDT"],
      [2, "SOLUSDT"],
    ] as const) {
      const id = `${Date.now() - hoursAgo * 3_600_000}-0`;
      await governor.settleResult(await publishResult(plan, { symbol, steps_results: stepsOf("error") }, id));
    }
    expect(disarms).toEqual([]);
  });
});
