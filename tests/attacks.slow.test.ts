/**
 * Attacks on what the issuers decide from, by a user with all rights in Redis. These are not stopped by signatures: the
 * issuers themselves sign. Each shows what it leads to, and what still bounds it (docs/security.md).
 */
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "@quantum/harness";
import { ISSUERS, openStage, type Plan, type Stage } from "./attacks/stage.ts";

const TIMEOUT_MS = 120_000;
/** P3.3 does not read the exchange again before this. */
const RARELY = { P33_POLL_SEC: "60", P33_STALE_THRESHOLD_SEC: "120" };
const POSITION = 0.062;

let stage: Stage;
afterEach(() => stage.stop());

const SERVICES = { "apply-layer": {}, governor: {}, "position-brain": {}, executor: {} };

/** Proposes, lets the real issuers answer, and waits for the end. */
async function end(symbol: string, action: string): Promise<{ plan: Plan; result: Record<string, string> }> {
  const plan = await stage.propose(symbol, action);
  return { plan, result: await stage.result(plan, 20_000) };
}

describe("a limit of one execution an hour", () => {
  it(
    "executions deleted from the governor's books: it permits one more",
    { timeout: TIMEOUT_MS },
    async () => {
      stage = await openStage({
        ...SERVICES,
        governor: { GOV_MAX_EXEC_PER_HOUR: "1", GOV_ENABLE_AUTO_DISARM: "false" },
      });
      expect((await end("SOLUSDT", "PARTIAL_25")).result).toMatchObject({ outcome: "EXECUTED" });
      const refused = await end("SOLUSDT", "PARTIAL_25");
      expect(refused.result).toMatchObject({ outcome: "BLOCKED", detail: "hourly_limit_exceeded" });
      const { executions, charges, totals, open } = stage.keys.reservations("governor", "SOLUSDT");
      await stage.client.del(executions, charges, totals, open);
      const { plan, result } = await end("SOLUSDT", "PARTIAL_25");
      expect(result).toMatchObject({ outcome: "EXECUTED" });
      expect(await stage.orders(plan)).toBe(1);
    },
  );
});

describe("a limit that is reserved", () => {
  it("results forged to release limits: the governor permits one more", { timeout: TIMEOUT_MS }, async () => {
    stage = await openStage({
      // Without P3.3 no permit is spent, so the first plan's reservation stays until the forged result.
      "apply-layer": { APPLY_PERMIT_WAIT_MS: "20000" },
      governor: { GOV_MAX_EXEC_PER_HOUR: "1", GOV_ENABLE_AUTO_DISARM: "false" },
      executor: {},
      "position-brain": { P33_ALLOWLIST: "SOLUSDT", P33_SIM_DELAY_MS: "5000" },
    });
    const { open } = stage.keys.reservations("governor", "SOLUSDT");
    const first = await stage.propose("SOLUSDT", "PARTIAL_25");
    await eventually(
      async () => ((await stage.client.hexists(open, first.attempt)) === 1 ? true : undefined),
      10_000,
      "the governor has reserved",
    );
    const forged = {
      ...{
        plan_id: first.id,
        symbol: "SOLUSDT",
        decision: "BLOCKED",
        executed: "False",
        would_execute: "False",
      },
      ...{
        steps_results: "[]",
        error: "",
        timestamp: "1",
        attempt: first.attempt,
        outcome: "BLOCKED",
        reason: "",
      },
    };
    await stage.client.xadd(stage.keys.streams.result, "*", ...Object.entries(forged).flat());
    await eventually(
      async () => ((await stage.client.hexists(open, first.attempt)) === 0 ? true : undefined),
      10_000,
      "the governor has released it",
    );
    const second = await stage.propose("SOLUSDT", "PARTIAL_25");
    const both = await eventually(
      async () => {
        const counts = [await stage.orders(first), await stage.orders(second)];
        return counts.join() === "1,1" ? counts : undefined;
      },
      40_000,
      "both plans are executed, although the limit is one",
    );
    expect(both).toEqual([1, 1]);
    const closed = (await stage.executedQty(first)) + (await stage.executedQty(second));
    expect(closed).toBeLessThanOrEqual(42.15);
  });
});

describe("the claim deleted, the entry replayed", () => {
  it.each<[string, () => Promise<void>]>([
    [
      "with the executor restarted",
      async () => {
        await stage.started.get("executor")?.stop();
        await stage.rig.start("executor");
      },
    ],
    [
      "with the executor killed and restarted",
      async () => {
        await stage.started.get("executor")?.kill();
        await stage.rig.start("executor");
      },
    ],
    [
      "with a second executor",
      async () => {
        await stage.rig.start("executor");
        await stage.started.get("executor")?.stop();
      },
    ],
  ])("%s: it is queried, and not sent", { timeout: TIMEOUT_MS }, async (_, change) => {
    stage = await openStage({ "apply-layer": {}, executor: {} });
    const { plan, entry } = await stage.executedPlan("SOLUSDT");
    await change();
    await stage.forgetOrder(plan);
    await stage.appendNamed(entry);
    await eventually(
      async () => ((await stage.results(plan)).length > 1 ? true : undefined),
      30_000,
      "the exchange has been queried",
    );
    expect(await stage.results(plan)).toMatchObject([{ outcome: "EXECUTED" }, { outcome: "EXECUTED" }]);
    expect(await stage.orders(plan)).toBe(1);
    // Neither under another client order id.
    await stage.forgetOrder(plan);
    await stage.appendNamed({ ...entry, attempt_no: "2" });
    await eventually(
      async () => (await stage.results(plan))[2],
      60_000,
      "the exchange has been queried about the other one",
    );
    expect(await stage.orders(plan)).toBe(1);
  });
});

describe("the owner of the orders forged, too", () => {
  it(
    "an executor that was away may send a second time, and each time no more than was signed",
    { timeout: TIMEOUT_MS },
    async () => {
      stage = await openStage({ "apply-layer": {}, executor: {} });
      const { client, keys, rig } = stage;
      const first = stage.started.get("executor");
      const owner = await client.hgetall(keys.orderOwner);
      await first?.stop();
      const second = await rig.start("executor", { INSTANCE: "executor@rig-2" });
      const { plan, entry } = await stage.executedPlan("SOLUSDT");
      await second.stop();
      await stage.forgetOrder(plan);
      await client.hset(keys.orderOwner, { ...owner, seen_ms: String(await stage.redisMs()) });
      await stage.appendNamed({ ...entry, valid_until_ms: String((await stage.redisMs()) + 20_000) });
      // Under its own name, with its own journal.
      await rig.start("executor");
      await eventually(async () => (await stage.results(plan))[1], 40_000, "a second result");
      // It depends on what it has read of Redis by then. Nothing but the permits' end stops it.
      expect(await stage.orders(plan)).toBeLessThanOrEqual(2);
      expect(await stage.executedQty(plan)).toBeLessThanOrEqual(2 * Number(entry["safe_qty"]));
    },
  );
});

describe("configurations that would let more through", () => {
  const ending = async (plan: Plan) => {
    const result = await stage.result(plan, 20_000);
    expect(await stage.orders(plan)).toBe(0);
    return result;
  };

  it(
    "permits of a dry run in paper mode: the record of a waiting plan edited",
    { timeout: TIMEOUT_MS },
    async () => {
      stage = await openStage({
        "apply-layer": { APPLY_MODE: "dry_run", APPLY_PERMIT_WAIT_MS: "8000" },
        executor: {},
      });
      const plan = await stage.propose("BTCUSDT");
      await stage.client.hset(stage.keys.plan(plan.id), "mode", "paper");
      await stage.grant(plan, await stage.texts(plan, { mode: "dry_run" }));
      expect(await ending(plan)).toMatchObject({ outcome: "NOT_PLACED", reason: "permit_of_another_plan" });
    },
  );

  it("permits of a dry run in a dry run, handed over all the same", { timeout: TIMEOUT_MS }, async () => {
    stage = await openStage({ executor: { EXECUTOR_MODE: "dry_run" } });
    const plan = await stage.invent();
    const mode = { mode: "dry_run" };
    await stage.appendNamed(await stage.entry(plan, await stage.texts(plan, mode), mode));
    expect(await ending(plan)).toMatchObject({ outcome: "NOT_PLACED", reason: "permit_of_another_plan" });
  });

  it("fewer issuers: an apply-layer that requires only one", { timeout: TIMEOUT_MS }, async () => {
    stage = await openStage({ "apply-layer": { APPLY_REQUIRED_PERMITS: "p33" }, executor: {} });
    const plan = await stage.propose("BTCUSDT");
    await stage.grant(plan, await stage.texts(plan));
    expect(await ending(plan)).toMatchObject({ outcome: "NOT_PLACED", reason: "permit_unsigned" });
  });
});

describe("what P3.3 decides from", () => {
  beforeEach(async () => {
    stage = await openStage({ ...SERVICES, "position-brain": RARELY });
  });

  it(
    "a snapshot and a ledger enlarged: no more than the position is closed",
    { timeout: TIMEOUT_MS },
    async () => {
      const { client, keys } = stage;
      const snapshotKey = keys.snapshot("BTCUSDT");
      const ledgerKey = keys.ledger("BTCUSDT");
      await eventually(
        async () => ((await client.exists(snapshotKey, ledgerKey)) === 2 ? true : undefined),
        10_000,
        "P3.3 has read the position",
      );
      const version = "9999999999999";
      const snapshot = { ...(await client.hgetall(snapshotKey)), position_amt: "62", version };
      const ledger = { ...(await client.hgetall(ledgerKey)), last_known_amt: "62", version };
      await client
        .multi()
        .hset(snapshotKey, { ...snapshot, fingerprint: fingerprintOf(snapshot, SNAPSHOT_FIELDS) })
        .hset(ledgerKey, { ...ledger, fingerprint: fingerprintOf(ledger, LEDGER_FIELDS) })
        .exec();
      const plan = await stage.propose("BTCUSDT", "PARTIAL_50");
      await stage.result(plan, 60_000);
      // P3.3 signed half of what it was told, a thousand times what is there.
      expect(Number((await stage.execution(plan)).fields["safe_qty"])).toBe(31);
      expect(await stage.executedQty(plan)).toBeLessThanOrEqual(POSITION);
      expect(await stage.orders(plan)).toBeLessThanOrEqual(1);
    },
  );

  it("a stray `hold.accept`: without a mismatch it changes nothing", { timeout: TIMEOUT_MS }, async () => {
    const { client, keys } = stage;
    const ledgerKey = keys.ledger("BTCUSDT");
    const before = await eventually(
      async () =>
        (await client.exists(ledgerKey)) === 1 ? client.hget(ledgerKey, "last_known_amt") : undefined,
      10_000,
      "P3.3 has read the position",
    );
    const command = {
      ...{ action: "hold.accept", target: "BTCUSDT", who: "nobody@nowhere", reason: "none" },
      ...{ at_ms: String(await stage.redisMs()), detail: '{"disagrees_since_ms": 1}' },
    };
    await client.xadd(keys.streams.operatorAudit, "*", ...Object.entries(command).flat());
    const brain = stage.started.get("position-brain");
    await brain?.waitForLog(({ msg }) => msg.includes("hold.accept") || msg.includes("ignored"), 10_000);
    expect(await client.hget(ledgerKey, "last_known_amt")).toBe(before);
    expect(await client.hget(ledgerKey, "origin")).toBe("bootstrap");
  });
});

describe("a plan of the attacker's own", () => {
  it("is judged by the issuers, and closes no more than they allow", { timeout: TIMEOUT_MS }, async () => {
    // No apply-layer: the attacker does what it does.
    stage = await openStage({ governor: {}, "position-brain": {}, executor: {} });
    const { client, keys } = stage;
    await eventually(
      async () => ((await client.exists(keys.snapshot("XRPUSDT"))) === 1 ? true : undefined),
      10_000,
      "P3.3 has read the position",
    );
    const invented = await stage.invent("XRPUSDT");
    const entry = {
      ...{
        plan_id: invented.id,
        symbol: "XRPUSDT",
        action: "PARTIAL_50",
        kill_score: "0.7",
        decision: "EXECUTE",
      },
      ...{
        reason_codes: "",
        mode: "paper",
        deadline_ms: String((await stage.redisMs()) + 5_000),
      },
      steps: '[{"step": "CLOSE_PARTIAL_50", "type": "market_reduce_only", "side": "close", "pct": 50.0}]',
    };
    const attempt = (await client.xadd(keys.streams.plan, "*", ...Object.entries(entry).flat())) ?? "";
    const plan = { ...invented, attempt, quantity: "2600" };
    const texts = await Promise.all(
      ISSUERS.map((issuer) =>
        eventually(
          async () => {
            const text = await client.get(keys.permit(issuer, plan.id));
            return text === null ? undefined : (JSON.parse(text) as { signed: string }).signed;
          },
          10_000,
          `a permit of ${issuer}`,
        ),
      ),
    );
    await stage.appendNamed(await stage.entry(plan, texts));
    expect(await stage.result(plan)).toMatchObject({ outcome: "EXECUTED" });
    expect(await stage.executedQty(plan)).toBeLessThanOrEqual(0.5 * 2600.5);
    expect(await stage.orders(plan)).toBe(1);
  });
});

/** As P3.3 makes it: it shows who wrote last, and is no secret. */
function fingerprintOf(fields: Record<string, string>, names: readonly string[]): string {
  const values = names.map((name) => fields[name] ?? null);
  return createHash("sha256").update(JSON.stringify(values)).digest("hex").slice(0, 16);
}

const SNAPSHOT_FIELDS = [
  ...["position_amt", "entry_price", "mark_price", "unrealized_pnl", "leverage"],
  ...["open_reduce_qty", "update_time_ms", "ts_epoch"],
];
const LEDGER_FIELDS = [
  ...["last_known_amt", "last_trade_id", "origin", "last_order_id", "last_result_plan_id"],
  ...["last_executed_qty", "last_side", "updated_at", "last_executed_at_ms", "disagrees_since_ms"],
];
