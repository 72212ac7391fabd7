import { once } from "node:events";
import { fieldsOf } from "@quantum/streams";
import { describe, expect, it } from "vitest";
import type { Limits } from "./decide.ts";
import {
  brainOf,
  CLOSE_ALL,
  deliver,
  GROUP,
  pending,
  permit,
  PLAN,
  plan,
  refresh,
  reserved,
  result,
  rig,
  SECOND,
  THIRD,
  venue,
} from "./handler.fixture.ts";
import type { PairStore } from "./pair-store.ts";
import { keys, planFields } from "./rig.fixture.ts";

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
    venue.rulesReadAgain = 0;
    const brain = await brainOf();
    venue.status = "SETTLING";
    await brain.answerPlan(await plan(PLAN, "BTCUSDT"));
    venue.status = "PRE_SETTLE";
    await brain.answerPlan(await plan(SECOND, "BTCUSDT"));
    venue.status = "TRADING";
    expect(await permit(PLAN)).toMatchObject({ allow: false, reason: "symbol_not_trading" });
    expect(await permit(SECOND)).toMatchObject({ allow: true });
    expect(venue.rulesReadAgain).toBe(1);
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

describe("while the exchange takes no orders", () => {
  it.each([
    ["exchange_paused", () => rig.pauses.set("orders", { leftMs: 60_000, reason: "Too many new orders." })],
    ["venue_budget", () => rig.budget.setLimits({ orders_10s: 1 })],
  ] as const)("says %s and promises nothing", async (reason, arrange) => {
    const brain = await brainOf();
    arrange();
    await brain.answerPlan(await plan(PLAN, "BTCUSDT"));
    expect(await permit(PLAN)).toMatchObject({ allow: false, reason });
    expect(await reserved()).toBe(0n);
    rig.pauses.set("orders", undefined);
    rig.budget.setLimits({});
    await brain.answerPlan(await plan(SECOND, "BTCUSDT"));
    expect(await permit(SECOND)).toMatchObject({ allow: true });
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
