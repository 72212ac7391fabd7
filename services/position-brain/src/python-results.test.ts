/** With the Python apply-layer: the effect of its plans and results on reservations, cooldown and permits. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { IssuerHandlers } from "@quantum/issuer";
import { createIssuer } from "@quantum/permits";
import { redisNow } from "@quantum/redis";
import { type Entry, fieldsOf } from "@quantum/streams";
import { PositionBrain } from "./handler.ts";
import { keys, planFields, type Rig, startRig } from "./rig.fixture.ts";

const GROUP = "p33";
const SYMBOL = "BTCUSDT";
const PLAN = "67e6da21fa9fe506";
const SECOND = "3f58da1bdb590b3b";

let rig: Rig;
let brain: IssuerHandlers;
beforeEach(async () => {
  rig = await startRig();
  for (const stream of [keys.streams.plan, keys.streams.result])
    await rig.redis.xgroup("CREATE", stream, GROUP, "0", "MKSTREAM");
  const refresh = rig.refresher();
  await refresh.all();
  const rules = await rig.exchange.rules();
  const ttl = { permitTtlSec: 60, denialTtlSec: 60, reserveTtlMs: 75_000 };
  const policy = new PositionBrain({
    pairs: rig.pairs,
    refresh,
    exchange: rig.exchange,
    booked: { include: async () => false, changed: () => Promise.withResolvers<void>().promise },
    rules: (symbol) => rules.get(symbol),
    readRulesAgain: () => undefined,
    limits: {
      allowlist: new Set([SYMBOL]),
      staleThresholdSec: 10,
      cooldownSec: 15,
      qtyTolerancePct: 1,
    },
  });
  const issuer = createIssuer({ redis: rig.redis, keys, issuer: GROUP, group: GROUP, ...ttl });
  brain = new IssuerHandlers({
    issuer,
    policy,
    simulate: async () => "answer",
    owns: () => true,
    now: () => redisNow(rig.redis),
  });
});
afterEach(() => rig.stop());

async function deliver(stream: string, fields: string[]): Promise<Entry> {
  const id = await rig.redis.xadd(stream, "*", ...fields);
  await rig.redis.xreadgroup("GROUP", GROUP, "test", "COUNT", 1, "STREAMS", stream, ">");
  return { id: id ?? "", fields: fieldsOf(fields), deliveries: 1 };
}
const plan = async (planId = PLAN, more: Record<string, string> = {}) =>
  brain.answerPlan(await deliver(keys.streams.plan, planFields(planId, SYMBOL, more)));
const result = async (fields: Record<string, string>, planId = PLAN) => {
  const common = { plan_id: planId, symbol: SYMBOL, decision: "EXECUTE", executed: "True", error: "" };
  return brain.settleResult(
    await deliver(keys.streams.result, Object.entries({ ...common, ...fields }).flat()),
  );
};
const permit = async (planId = PLAN) =>
  JSON.parse((await rig.redis.get(keys.permit(GROUP, planId))) ?? "null") as Record<string, unknown> | null;
const reserved = async () => (await rig.pairs.state(SYMBOL)).reservedUnits;
const UPDATE_SL = '[{"step": "UPDATE_SL", "type": "stop_loss_order", "price": 101.5}]';

it("an UPDATE_SL reserves nothing, and its result starts no cooldown", async () => {
  await plan(PLAN, { action: "UPDATE_SL", steps: UPDATE_SL });
  expect(await permit()).toMatchObject({ allow: true });
  expect(await reserved()).toBe(0n);
  await result({ steps_results: '[{"step": "UPDATE_SL", "status": "not_implemented"}]' });
  await plan(SECOND);
  expect(await permit(SECOND)).toMatchObject({ allow: true, safe_close_qty: 0.046 });
});

it("a dry run that ends before the answer leaves no reservation", async () => {
  const published = await deliver(keys.streams.plan, planFields(PLAN, SYMBOL));
  await result({ executed: "False", would_execute: "True" });
  await brain.answerPlan(published);
  expect(await permit()).toBeNull();
  expect(await reserved()).toBe(0n);
});

it.each([
  ["a dry run", { executed: "False", would_execute: "True" }],
  ["a block", { decision: "BLOCKED", executed: "False", error: "permit_timeout_or_missing:missing_both" }],
  ["a skip", { decision: "SKIP", executed: "False", error: "no_position" }],
  ["a failure before the order", { decision: "ERROR", executed: "False", error: "ping failed" }],
])(
  "%s that ends after the answer ends its reservation at once, and starts no cooldown",
  async (_, fields) => {
    await plan();
    expect(await reserved()).toBe(4_600_000n);
    await result(fields);
    expect(await reserved()).toBe(0n);
    await plan(SECOND);
    expect(await permit(SECOND)).toMatchObject({ allow: true, safe_close_qty: 0.046 });
  },
);

it("a SKIP of a plan that Python had seen before ends no reservation", async () => {
  await plan();
  expect(await result({ decision: "SKIP", executed: "False" })).toEqual({ kind: "ack" });
  expect(await reserved()).toBe(4_600_000n);
});

it("a step that failed starts the cooldown and books the plan: its order may have been placed", async () => {
  await plan();
  await result({ steps_results: '[{"step": "CLOSE_PARTIAL_75", "status": "error", "details": "timeout"}]' });
  expect(await reserved()).toBe(0n);
  await plan(SECOND);
  expect(await permit(SECOND)).toMatchObject({ allow: false, reason: "cooldown_in_flight" });
  expect(await rig.redis.get(keys.booked(GROUP, PLAN))).toMatch(/^executed /);
});

it("a plan whose order is booked is denied when the operators' reset has made it new", async () => {
  await plan();
  const { orderId } = await rig.order(SYMBOL, "SELL", "0.046");
  const step = { step: "CLOSE_PARTIAL_75", status: "success", order_id: orderId, side: "SELL" };
  await result({ steps_results: JSON.stringify([{ ...step, executed_qty: "0.046" }]) });
  // Later, after the cooldown.
  await rig.redis.set(keys.booked(GROUP, PLAN), "executed 1", "KEEPTTL");
  await rig.rewrite(SYMBOL, ({ snapshot, ledger }) => ({
    snapshot,
    ledger: { ...ledger, lastExecution: undefined },
  }));
  await rig.redis.del(keys.permit(GROUP, PLAN));
  await plan();
  expect(await permit()).toMatchObject({ allow: false, reason: "already_executed" });
  await plan(SECOND);
  expect(await permit(SECOND)).toMatchObject({ allow: true });
});
