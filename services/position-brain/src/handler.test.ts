import { once } from "node:events";
import { IssuerHandlers } from "@quantum/issuer";
import { createIssuer } from "@quantum/permits";
import { type Entry, fieldsOf } from "@quantum/streams";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Limits } from "./decide.ts";
import { PositionBrain } from "./handler.ts";
import type { PairStore } from "./pair-store.ts";
import type { PairRefresh } from "./refresh.ts";
import { keys, planFields, resultFields, type Rig, startRig } from "./rig.fixture.ts";

const GROUP = "p33";
const PLANS = ["0000000000000001", "0000000000000002", "0000000000000003"] as const;
const [PLAN, SECOND, THIRD] = PLANS;
const CLOSE_ALL = '[{"step": "CLOSE_FULL", "type": "market_reduce_only", "side": "close", "pct": 100.0}]';

let rig: Rig;
let refresh: PairRefresh;

beforeEach(async () => {
  rig = await startRig();
  for (const stream of [keys.streams.plan, keys.streams.result]) {
    await rig.redis.xgroup("CREATE", stream, GROUP, "0", "MKSTREAM");
  }
  refresh = rig.refresher();
  await refresh.all();
});
afterEach(async () => {
  refresh.stop();
  await rig.stop();
});

/** Of every symbol. */
let status = "TRADING";
let rulesReadAgain = 0;

async function brainOf(
  over: Partial<Limits> = {},
  simulate: "answer" | "deny" | "drop" = "answer",
  pairs: PairStore = rig.pairs,
): Promise<IssuerHandlers> {
  const rules = await rig.exchange.rules();
  const issuer = createIssuer({
    redis: rig.redis,
    keys,
    issuer: GROUP,
    group: GROUP,
    permitTtlSec: 60,
    denialTtlSec: 60,
    reserveTtlMs: 75_000,
  });
  const policy = new PositionBrain({
    pairs,
    refresh,
    rules: (symbol) => {
      const listed = rules.get(symbol);
      return listed && { ...listed, status };
    },
    readRulesAgain: () => void (rulesReadAgain += 1),
    limits: {
      allowlist: new Set(["BTCUSDT", "ETHUSDT"]),
      staleThresholdSec: 10,
      cooldownSec: 0,
      qtyTolerancePct: 1,
      ...over,
    },
  });
  return new IssuerHandlers({ issuer, policy, simulate: async () => simulate, now: pairs.now });
}

/** Publishes an entry and receives it like the group's consumer. */
async function deliver(stream: string, fields: string[], at = "*"): Promise<Entry> {
  const id = await rig.redis.xadd(stream, at, ...fields);
  await rig.redis.xreadgroup("GROUP", GROUP, "test", "COUNT", 1, "STREAMS", stream, ">");
  return { id: id ?? "", fields: fieldsOf(fields), deliveries: 1 };
}

/** A plan whose record leaves little time, so that a denial because of a reservation comes quickly. */
async function plan(planId: string, symbol: string, more: Record<string, string> = {}): Promise<Entry> {
  const deadline_ms = String(Date.now() + 400);
  const entry = await deliver(keys.streams.plan, planFields(planId, symbol, { deadline_ms, ...more }));
  await rig.redis.hset(keys.plan(planId), "state", "WAITING", "attempt", entry.id);
  return entry;
}

const result = (planId: string, attempt: string, more: Record<string, string> = {}) =>
  deliver(keys.streams.result, resultFields(planId, "BTCUSDT", { attempt, ...more }));

const permit = async (planId: string): Promise<Record<string, unknown> | undefined> => {
  const text = await rig.redis.get(keys.permit(GROUP, planId));
  return text === null ? undefined : (JSON.parse(text) as Record<string, unknown>);
};
const pending = async (stream: string) => ((await rig.redis.xpending(stream, GROUP)) as [number])[0];
const reserved = async () => (await rig.pairs.state("BTCUSDT")).reservedUnits;

describe("a plan", () => {
  it("is granted what the position allows, and its entry is acknowledged", async () => {
    const brain = await brainOf();
    expect(await brain.answerPlan(await plan(PLAN, "BTCUSDT"))).toEqual({ kind: "done" });
    expect(await permit(PLAN)).toMatchObject({ allow: true, safe_close_qty: 0.046, safe_qty: 0.046 });
    expect(await reserved()).toBe(4_600_000n);
    expect(await pending(keys.streams.plan)).toBe(0);
    expect(await rig.redis.hget(keys.plan(PLAN), "p33_verdict")).toBe("granted");
  });

  it("of a symbol that takes no order is denied, and whether it still takes none is asked", async () => {
    rulesReadAgain = 0;
    const brain = await brainOf();
    status = "SETTLING";
    await brain.answerPlan(await plan(PLAN, "BTCUSDT"));
    status = "PRE_SETTLE";
    await brain.answerPlan(await plan(SECOND, "BTCUSDT"));
    status = "TRADING";
    expect(await permit(PLAN)).toMatchObject({ allow: false, reason: "symbol_not_trading" });
    expect(await permit(SECOND)).toMatchObject({ allow: true });
    expect(rulesReadAgain).toBe(1);
  });

  it("is answered although it has no record, as the Python apply-layer publishes it", async () => {
    const brain = await brainOf();
    await brain.answerPlan(await deliver(keys.streams.plan, planFields(PLAN, "ETHUSDT")));
    expect(await permit(PLAN)).toMatchObject({ allow: true, safe_close_qty: 1.387 });
  });

  it("gets one answer however often it is delivered", async () => {
    const brain = await brainOf();
    const entry = await plan(PLAN, "BTCUSDT");
    await brain.answerPlan(entry);
    const first = await permit(PLAN);
    const answered = once(brain, "answered");
    await brain.answerPlan({ ...entry, deliveries: 2 });
    expect((await answered)[0]).toMatchObject({ issued: { kind: "replayed" } });
    expect(await permit(PLAN)).toEqual(first);
    expect(await reserved()).toBe(4_600_000n);
  });

  it("that was not to be executed is acknowledged, one that cannot be read is dead", async () => {
    const brain = await brainOf();
    expect(await brain.answerPlan(await plan(PLAN, "BTCUSDT", { decision: "SKIP" }))).toEqual({
      kind: "ack",
    });
    expect(await brain.answerPlan(await plan(PLAN, "BTCUSDT", { steps: "{" }))).toMatchObject({
      kind: "dead",
      reason: expect.stringContaining("steps") as string,
    });
    expect(await permit(PLAN)).toBeUndefined();
  });

  it("is answered or not as the simulation wants", async () => {
    expect(await (await brainOf({}, "drop")).answerPlan(await plan(PLAN, "BTCUSDT"))).toEqual({
      kind: "ack",
    });
    expect(await permit(PLAN)).toBeUndefined();
    await (await brainOf({}, "deny")).answerPlan(await plan(SECOND, "BTCUSDT"));
    expect(await permit(SECOND)).toMatchObject({ allow: false, reason: "simulated_denial" });
  });
});

describe("a denial", () => {
  const cases: [reason: string, symbol: string, limits: Partial<Limits>, arrange: () => Promise<unknown>][] =
    [
      ["not_in_allowlist", "SOLUSDT", {}, async () => undefined],
      ["no_exchange_snapshot", "BTCUSDT", {}, () => rig.redis.del(keys.snapshot("BTCUSDT"))],
      [
        "stale_exchange_state",
        "BTCUSDT",
        {},
        () =>
          rig.rewrite("BTCUSDT", ({ snapshot, ledger }) => ({
            snapshot: { ...snapshot, tsEpochSec: 1 },
            ledger,
          })),
      ],
      ["no_position", "BTCUSDT", {}, () => rig.move("BTCUSDT", "0.000").then(() => refresh.all())],
      [
        "reconcile_required_side_mismatch",
        "BTCUSDT",
        {},
        () => rig.move("BTCUSDT", "-0.062", false).then(() => refresh.all()),
      ],
      [
        "reconcile_required_qty_mismatch",
        "BTCUSDT",
        {},
        () => rig.move("BTCUSDT", "0.030", false).then(() => refresh.all()),
      ],
      [
        "cooldown_in_flight",
        "BTCUSDT",
        { cooldownSec: 15 },
        () =>
          rig.rewrite("BTCUSDT", ({ snapshot, ledger }) => ({
            snapshot,
            ledger: {
              ...ledger,
              lastExecution: { planId: SECOND, orderId: "1", side: "SELL", qty: "1", atMs: Date.now() },
            },
          })),
      ],
      ["order_unresolved", "BTCUSDT", {}, () => rig.redis.sadd(keys.unknown("BTCUSDT"), SECOND)],
      [
        "quantity_promised",
        "BTCUSDT",
        {},
        () => rig.redis.hset(keys.reservations(GROUP, "BTCUSDT").totals, "reserved:qty", "6200000"),
      ],
      ["quantity_below_minimum", "BTCUSDT", {}, () => rig.move("BTCUSDT", "0.001").then(() => refresh.all())],
      ["kill_switch_active", "BTCUSDT", {}, () => rig.redis.set(keys.killSwitch, "1")],
    ];

  it.each(cases)("says %s", async (reason, symbol, limits, arrange) => {
    await arrange();
    const brain = await brainOf(limits);
    expect(await brain.answerPlan(await plan(PLAN, symbol))).toEqual({ kind: "done" });
    expect(await permit(PLAN)).toMatchObject({ allow: false, symbol, reason });
    expect(await pending(keys.streams.plan)).toBe(0);
    const [[, wake] = []] = (await rig.redis.xrange(keys.streams.permit, "-", "+")) as [string, string[]][];
    expect(fieldsOf(wake ?? [])).toMatchObject({ plan_id: PLAN, issuer: GROUP, verdict: "denied", reason });
  });
});

describe("two plans on one position", () => {
  it("never get more than it together, even when both decide before either is issued", async () => {
    const [one, other] = [await brainOf(), await brainOf()];
    const first = await plan(PLAN, "BTCUSDT", { steps: CLOSE_ALL });
    const second = await plan(SECOND, "BTCUSDT", { steps: CLOSE_ALL });
    await Promise.all([one.answerPlan(first), other.answerPlan(second)]);
    const permits = [await permit(PLAN), await permit(SECOND)];
    const granted = permits.filter((one) => one?.["allow"] === true);
    expect(granted).toHaveLength(1);
    expect(granted[0]).toMatchObject({ safe_qty: 0.062 });
    expect(permits.find((one) => one?.["allow"] === false)).toMatchObject({ reason: "quantity_promised" });
    expect(await reserved()).toBe(6_200_000n);
  });

  it("share it: the second gets what the first has left", async () => {
    const brain = await brainOf();
    await brain.answerPlan(await plan(PLAN, "BTCUSDT"));
    await brain.answerPlan(await plan(SECOND, "BTCUSDT", { steps: CLOSE_ALL }));
    expect(await permit(SECOND)).toMatchObject({ safe_qty: 0.016 });
  });

  it("follow each other: the second waits until the first one's reservation has ended", async () => {
    const brain = await brainOf();
    const first = await plan(PLAN, "BTCUSDT", { steps: CLOSE_ALL });
    await brain.answerPlan(first);
    const more = { steps: CLOSE_ALL, deadline_ms: String(Date.now() + 20_000) };
    const second = brain.answerPlan(await plan(SECOND, "BTCUSDT", more));
    await brain.settleResult(await result(PLAN, first.id, { executed: "False", outcome: "BLOCKED" }));
    await second;
    expect(await permit(SECOND)).toMatchObject({ allow: true, safe_qty: 0.062 });
  });

  it("are not held for ever by a deadline that is far away", async () => {
    await rig.redis.hset(keys.reservations(GROUP, "BTCUSDT").totals, "reserved:qty", "6200000");
    const brain = await brainOf();
    const fields = planFields(PLAN, "BTCUSDT", { deadline_ms: "179550921478787" });
    // As if it had been there for a minute.
    const entry = await deliver(keys.streams.plan, fields, `${Date.now() - 60_000}-0`);
    await rig.redis.hset(keys.plan(PLAN), "state", "WAITING", "attempt", entry.id);
    await brain.answerPlan(entry);
    expect(await permit(PLAN)).toMatchObject({ allow: false, reason: "quantity_promised" });
  });

  it("do not both count on a position that has shrunk with the first one's reservation", async () => {
    const brain = await brainOf();
    const first = await plan(PLAN, "BTCUSDT");
    await brain.answerPlan(first);
    // The second plan sees 0.062 minus 0.046. Then the first is executed, and the third takes the rest of the position.
    let interrupted = false;
    const pairs: PairStore = {
      ...rig.pairs,
      state: async (symbol) => {
        const state = await rig.pairs.state(symbol);
        if (interrupted) return state;
        interrupted = true;
        const { orderId } = await rig.order("BTCUSDT", "SELL", "0.046");
        await brain.settleResult(
          await result(PLAN, first.id, { order_id: orderId, executed_qty: "0.046", outcome: "EXECUTED" }),
        );
        await brain.answerPlan(await plan(THIRD, "BTCUSDT", { steps: CLOSE_ALL }));
        return state;
      },
    };
    const late = await brainOf({}, "answer", pairs);
    await late.answerPlan(await plan(SECOND, "BTCUSDT", { steps: CLOSE_ALL }));
    expect(await permit(THIRD)).toMatchObject({ allow: true, safe_qty: 0.016 });
    expect(await permit(SECOND)).toMatchObject({ allow: false, reason: "quantity_promised" });
    expect(await reserved()).toBe(1_600_000n);
  });
});

describe("a result", () => {
  it("that was refused for the symbol's rules has them read again, another refusal has not", async () => {
    rulesReadAgain = 0;
    const brain = await brainOf();
    for (const reason of ["rejected_by_rules", "rejected_by_exchange", "rejected_for_account"]) {
      const fields = { executed: "False", outcome: "REJECTED", error: reason, reason };
      await brain.settleResult(await result(PLAN, "1-1", fields));
    }
    expect(rulesReadAgain).toBe(1);
  });

  it("brings its fills into the pair, then ends its reservation", async () => {
    const brain = await brainOf();
    const entry = await plan(PLAN, "BTCUSDT");
    await brain.answerPlan(entry);
    const { orderId } = await rig.order("BTCUSDT", "SELL", "0.046");
    const executed = await result(PLAN, entry.id, {
      outcome: "EXECUTED",
      order_id: orderId,
      executed_qty: "0.046",
      steps_results: `[{"status": "success", "order_id": "${orderId}", "side": "SELL", "executed_qty": "0.046"}]`,
      settled_at_ms: String(Date.now()),
    });
    expect(await brain.settleResult(executed)).toEqual({ kind: "done" });
    const { pair, reservedUnits } = await rig.pairs.state("BTCUSDT");
    expect(reservedUnits).toBe(0n);
    expect(pair?.ledger).toMatchObject({
      amt: "0.016",
      lastExecution: { planId: PLAN, orderId, side: "SELL", qty: "0.046" },
    });
    expect(pair?.snapshot.positionAmt).toBe("0.016");
    expect(await pending(keys.streams.result)).toBe(0);

    // Again, as after a crash before the acknowledgement.
    expect(await brain.settleResult(executed)).toEqual({ kind: "done" });
    expect((await rig.pairs.state("BTCUSDT")).pair?.ledger.amt).toBe("0.016");
  });

  it("of the Python executor names neither attempt nor quantity, and ends the reservation all the same", async () => {
    const brain = await brainOf();
    await brain.answerPlan(await deliver(keys.streams.plan, planFields(PLAN, "BTCUSDT")));
    expect(await reserved()).toBe(4_600_000n);
    const { orderId } = await rig.order("BTCUSDT", "SELL", "0.046");
    const steps_results = `[{"status": "success", "order_id": "${orderId}", "side": "SELL", "executed_qty": "0.046"}]`;
    await brain.settleResult(
      await deliver(keys.streams.result, resultFields(PLAN, "BTCUSDT", { steps_results })),
    );
    expect(await reserved()).toBe(0n);
    expect((await rig.pairs.read("BTCUSDT")).ledger?.lastExecution).toMatchObject({ orderId, side: "SELL" });
  });

  it("that corrects one which ended the reservation brings its fills into the pair", async () => {
    const brain = await brainOf();
    const entry = await plan(PLAN, "BTCUSDT");
    await brain.answerPlan(entry);
    const denied = await result(PLAN, entry.id, { executed: "False", outcome: "NOT_PLACED" });
    await brain.settleResult(denied);
    const { orderId } = await rig.order("BTCUSDT", "SELL", "0.046");
    const executed = { outcome: "EXECUTED", order_id: orderId, executed_qty: "0.046" };
    const correction = await result(PLAN, entry.id, { ...executed, corrects: denied.id });
    for (const _ of [1, 2]) expect(await brain.settleResult(correction)).toEqual({ kind: "done" });
    const { pair, reservedUnits } = await rig.pairs.state("BTCUSDT");
    expect(reservedUnits).toBe(0n);
    expect(pair?.ledger).toMatchObject({ amt: "0.016", lastExecution: { planId: PLAN, orderId } });
    expect(await pending(keys.streams.result)).toBe(0);
  });

  it("without an execution ends the reservation without a request to the exchange", async () => {
    const brain = await brainOf();
    const entry = await plan(PLAN, "BTCUSDT");
    await brain.answerPlan(entry);
    const before = await rig.requests();
    await brain.settleResult(await result(PLAN, entry.id, { executed: "False", outcome: "NOT_PLACED" }));
    expect(await reserved()).toBe(0n);
    expect(await rig.requests()).toEqual(before);
  });

  it("whose exchange is away keeps its reservation and comes again", async () => {
    const brain = await brainOf();
    const entry = await plan(PLAN, "BTCUSDT");
    await brain.answerPlan(entry);
    const { orderId } = await rig.order("BTCUSDT", "SELL", "0.046");
    const executed = await result(PLAN, entry.id, { order_id: orderId, executed_qty: "0.046" });
    await rig.fault({ kind: "503_before", path: "GET /fapi/v2/positionRisk", count: 6 });
    expect(await brain.settleResult(executed)).toMatchObject({ kind: "retry" });
    expect(await reserved()).toBe(4_600_000n);
    expect(await pending(keys.streams.result)).toBe(1);
    expect(await brain.settleResult(executed)).toEqual({ kind: "done" });
    expect(await reserved()).toBe(0n);
  });

  it("of a symbol that is not ours is acknowledged, one that cannot be read is dead", async () => {
    const brain = await brainOf();
    const foreign = await deliver(keys.streams.result, resultFields(PLAN, "SOLUSDT"));
    expect(await brain.settleResult(foreign)).toEqual({ kind: "done" });
    expect(await pending(keys.streams.result)).toBe(0);
    const bad = await deliver(keys.streams.result, resultFields("none", "BTCUSDT"));
    expect(await brain.settleResult(bad)).toMatchObject({ kind: "dead" });
  });

  it("is waited for by a plan that comes before it is settled", async () => {
    const brain = await brainOf();
    const { orderId } = await rig.order("BTCUSDT", "SELL", "0.046");
    await rig.fault({ kind: "latency", path: "GET /fapi/v1/openOrders", ms: 200 });
    const settled = brain.settleResult(await result(PLAN, "", { order_id: orderId, executed_qty: "0.046" }));
    const deadline_ms = String(Date.now() + 20_000);
    await brain.answerPlan(await plan(SECOND, "BTCUSDT", { steps: CLOSE_ALL, deadline_ms }));
    await settled;
    expect(await permit(SECOND)).toMatchObject({ safe_qty: 0.016, exchange_position_amt: 0.016 });
  });
});
