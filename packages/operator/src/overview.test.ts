/** The first screen and its details, of a Redis in which somebody has written what a pipeline writes. */
import { useRedis } from "@quantum/harness/vitest";
import { beforeEach, describe, expect, it } from "vitest";
import { accessAs, add, keys, planIdOf } from "./access.fixture.ts";
import { OverviewMemory, readOverview } from "./overview.ts";
import { viewPlan } from "./view-plan.ts";
import { viewSymbol } from "./view-symbol.ts";

const { plan, execute, result } = keys.streams;

const { redis, server } = await useRedis();
const access = accessAs("viewer", server.url);
beforeEach(async () => {
  await redis.flushall();
});

const LIMITS = {
  executions_hour: "3",
  executions_5min: "2",
  notional_day: "5000",
  qty_day: "0.02",
  at_ms: "1",
};
const NO_CAPS = { executionsHour: "", executions5min: "", notionalDay: "", qtyDay: "" };

async function waits(n: number, symbol: string, leftMs: number, record: Record<string, string> = {}) {
  const now = Date.now();
  await redis.sadd(keys.waitingSymbols, symbol);
  await redis.zadd(keys.waiting(symbol), now + leftMs, planIdOf(n));
  const opened = { state: "WAITING", symbol, attempt: `${now}-${n}`, opened_at_ms: String(now) };
  await redis.hset(keys.plan(planIdOf(n)), { ...opened, ...record });
}

/** A close is proposed, the position is open. */
async function unfulfilled(symbol: string): Promise<void> {
  await redis.set(keys.closeWanted(symbol), String(Date.now() - 5_000));
  await redis.hset(keys.snapshot(symbol), { position_amt: "-2" });
}

describe("the overview", () => {
  it("of an empty Redis has nothing wrong in it, and nothing made up", async () => {
    const {
      atMs: _,
      redis: __,
      killSwitch,
      killRecord,
      disarm,
      exit,
      ...others
    } = await readOverview(access);
    expect(killSwitch).toMatchObject({ on: false, text: "" });
    expect([killRecord, disarm]).toEqual([null, null]);
    expect(exit).toMatchObject({
      armed: false,
      text: expect.stringMatching(/^0 keys; never drilled; no executor has said/),
    });
    expect(Object.values(others).flat().filter(Boolean)).toEqual([]);
  });

  it.each([
    ["is no number", "two"],
    ["is below 0", "-2"],
    ["has no end", "1e999"],
  ])("takes a count of operators' keys that %s for none", async (_, count) => {
    await redis.hset(keys.exit, { keys: count, at_ms: count, drilled_at_ms: count });
    const { exit } = await readOverview(access);
    expect(exit.text).toMatch(/^0 keys; never drilled; no executor has said/);
  });

  it("tells which plans wait for whom, those first whose time ends first", async () => {
    await waits(1, "BTCUSDT", 900, { governor_verdict: "granted" });
    await waits(2, "ETHUSDT", 300);
    const { waiting, moreWaiting } = await readOverview(access);
    expect(waiting).toMatchObject([
      { planId: planIdOf(2), symbol: "ETHUSDT", lacks: ["governor", "p33"] },
      { planId: planIdOf(1), symbol: "BTCUSDT", lacks: ["p33"] },
    ]);
    expect(waiting.map(({ deadlineMs, openedAtMs }) => deadlineMs - openedAtMs)).toEqual([300, 900]);
    expect(moreWaiting).toBe(0);
    for (let n = 10; n < 70; n += 1) await waits(n, "BTCUSDT", 60_000 + n);
    const crowded = await readOverview(access);
    expect([crowded.waiting.length, crowded.moreWaiting]).toEqual([50, 12]);
  });

  it("has the symbols whose closes are not fulfilled first, and none of which nothing is left", async () => {
    await redis.sadd(keys.orderSymbols, "BTCUSDT");
    await redis.sadd(keys.waitingSymbols, "GONEUSDT");
    await redis.hset(keys.ledger("ADAUSDT"), { last_known_amt: "1" });
    await unfulfilled("XRPUSDT");
    await waits(1, "SOLUSDT", 60_000);
    await add(redis, result, { symbol: "XRPUSDT", outcome: "BLOCKED", reason: "missing_p33" });
    const { symbols } = await readOverview(access);
    expect(symbols.map(({ symbol }) => symbol)).toEqual(["XRPUSDT", "ADAUSDT", "BTCUSDT", "SOLUSDT"]);
    expect(symbols[0]?.unfulfilled).toMatchObject({ positionAmt: "-2", last: "BLOCKED missing_p33" });
  });

  it.each(["-1", "1e9", "0x10", "null", "", "9".repeat(400)])(
    "tells no amount where somebody wrote %j",
    async (text) => {
      const { totals } = keys.reservations("governor", "BTCUSDT");
      await redis.sadd(keys.orderSymbols, "BTCUSDT");
      await redis.hset(totals, { "reserved:qty": text, "reserved:notional": "100000000" });
      const { symbols } = await readOverview(access);
      expect(symbols).toMatchObject([
        { limits: { chargedQty: "0", reservedQty: "", reservedNotional: "1" } },
      ]);
    },
  );

  it("has what the governor told of its limits beside what is used, and no caps where it told none", async () => {
    const { totals, executions } = keys.reservations("governor", "BTCUSDT");
    const day = String(Math.floor(Date.now() / 86_400_000));
    await redis.sadd(keys.orderSymbols, "BTCUSDT");
    await redis.hset(totals, { day, "charged:qty": "1000000", "reserved:notional": "150000000000" });
    await redis.zadd(executions, Date.now(), "a", Date.now() - 600_000, "b");
    expect((await readOverview(access)).symbols).toMatchObject([{ caps: NO_CAPS }]);
    await redis.hset(keys.governorLimits, LIMITS);
    expect((await readOverview(access)).symbols).toMatchObject([
      {
        limits: { executionsHour: 2, executions5min: 1, chargedQty: "0.01", reservedNotional: "1500" },
        caps: { executionsHour: "3", executions5min: "2", notionalDay: "5000", qtyDay: "0.02" },
      },
    ]);
    await redis.hset(keys.governorLimits, { qty_day: "plenty" });
    expect((await readOverview(access)).symbols).toMatchObject([
      { caps: { qtyDay: "", notionalDay: "5000" } },
    ]);
  });

  it("has the last verdicts, from the streams or from the tally of one who follows them", async () => {
    const memory = new OverviewMemory();
    await add(redis, execute, { plan_id: planIdOf(1), symbol: "BTCUSDT", wait_ms: "7", safe_qty: "0.1" });
    await add(redis, result, {
      plan_id: planIdOf(2),
      outcome: "BLOCKED",
      reason: "missing_p33",
      wait_ms: "9",
    });
    const read = await readOverview(access, memory);
    expect(read.lastOk).toMatchObject({ planId: planIdOf(1), waitMs: 7, reason: "", safeQty: "0.1" });
    expect(read.lastBlock).toMatchObject({ planId: planIdOf(2), reason: "missing_p33" });
    const ok = { kind: "ok", symbol: "BTCUSDT", waitMs: 5, safeQty: "0.1", reason: "" } as const;
    memory.tally.addWait({ ...ok, planId: planIdOf(3), atMs: Date.now() });
    expect((await readOverview(access, memory)).lastOk).toMatchObject({ planId: planIdOf(3) });
  });

  it("goes through all keys once, however often it is read", async () => {
    const memory = new OverviewMemory();
    await readOverview(access, memory);
    await redis.hset(keys.ledger("ADAUSDT"), { last_known_amt: "1" });
    await redis.sadd(keys.orderSymbols, "BTCUSDT");
    const { symbols } = await readOverview(access, memory);
    expect(symbols.map(({ symbol }) => symbol)).toEqual(["BTCUSDT"]);
    expect((await readOverview(access)).symbols).toHaveLength(2);
  });
});

describe("a symbol", () => {
  it("is told with its books, what was promised of it, and its last plans", async () => {
    const attempt = await add(redis, plan, { plan_id: planIdOf(1), symbol: "BTCUSDT" });
    await redis.hset(keys.snapshot("BTCUSDT"), { position_amt: "2" });
    await redis.hset(keys.ledger("BTCUSDT"), { last_known_amt: "1", disagrees_since_ms: "5" });
    await redis.hset(keys.reservations("governor", "BTCUSDT").open, {
      [attempt]: '{"qty": "150000000", "notional": "300000000000"}',
      [planIdOf(2)]: "not JSON",
    });
    await redis.hset(keys.reservations("p33", "BTCUSDT").open, { "5-0": '{"qty": "1"}' });
    await add(redis, result, {
      plan_id: planIdOf(3),
      symbol: "BTCUSDT",
      outcome: "SKIP",
      reason: "action_hold",
    });
    const view = await viewSymbol(access, "BTCUSDT");
    expect(view).toMatchObject({
      now: { symbol: "BTCUSDT", caps: NO_CAPS },
      hold: { exchangeAmt: "2", ledgerAmt: "1" },
      snapshot: { position_amt: "2" },
      ledger: { last_known_amt: "1" },
      recent: [{ planId: planIdOf(3), outcome: "SKIP" }],
    });
    expect(view?.promises).toEqual([
      { issuer: "governor", planId: planIdOf(1), qty: "1.5", notional: "3000" },
      { issuer: "governor", planId: planIdOf(2), qty: "", notional: "" },
      { issuer: "p33", planId: "", qty: "0.00000001", notional: "" },
    ]);
  });

  it("that nobody has heard of is unknown", async () => {
    expect(await viewSymbol(access, "NOUSDT")).toBeUndefined();
  });
});

describe("a plan", () => {
  const PLAN = planIdOf(1);

  it("is told with its permits, caps and the exchange's words", async () => {
    const at = Date.now() - 5_000;
    const attempt = await add(
      redis,
      plan,
      { plan_id: PLAN, symbol: "BTCUSDT", decision: "EXECUTE" },
      `${at}-0`,
    );
    await redis.hset(keys.plan(PLAN), {
      ...{
        state: "REJECTED",
        symbol: "BTCUSDT",
        attempt,
        opened_at_ms: `${at}`,
        deadline_ms: `${at + 1_200}`,
      },
      ...{ governor_verdict: "granted", governor_at_ms: `${at + 3}`, governor_reason: "within_limits" },
      ...{ governor_key: "ab12", governor_signature: "valid", governor_cap: "0.05", p33_verdict: "granted" },
      ...{ p33_seen_ms: `${at + 9}`, reason: "rejected_for_account", wait_ms: "9", safe_qty: "0.1" },
    });
    await redis.hset(keys.order(PLAN), {
      ...{ state: "REJECTED", attempt, client_order_id: "qp-1", reason: "rejected_for_account" },
      detail: "-2019: Margin is insufficient.",
    });
    const view = await viewPlan(access, PLAN);
    expect(view).toMatchObject({
      symbol: "BTCUSDT",
      conclusion: { state: "REJECTED" },
      attempts: [{ attempt, openedAtMs: at, deadlineMs: at + 1_200 }],
      caps: [{ issuer: "governor", cap: "0.05", reason: "within_limits" }],
      venueSaid: "-2019: Margin is insufficient.",
      unreadable: [],
      record: { governor_key: "ab12" },
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    expect(view?.permits).toEqual([
      {
        issuer: "governor",
        verdict: "granted",
        reason: "within_limits",
        waitMs: 3,
        key: "ab12",
        signature: "valid",
      },
      { issuer: "p33", verdict: "granted", reason: "", waitMs: 9, key: "", signature: "" },
    ]);
  });

  it("that waits is told with the issuers that it lacks; one that never was is unknown", async () => {
    await waits(1, "BTCUSDT", 500, { deadline_ms: String(Date.now() + 500) });
    const view = await viewPlan(access, PLAN);
    expect(view?.permits).toMatchObject([
      { issuer: "governor", verdict: "", waitMs: undefined },
      { issuer: "p33", verdict: "", waitMs: undefined },
    ]);
    expect(await viewPlan(access, planIdOf(2))).toBeUndefined();
  });

  it("is told without what cannot be read of it, hostile ids included", async () => {
    await redis.hset(keys.plan(PLAN), {
      state: "SKIP",
      attempt: "99999999999999999999999-0",
      ended_at_ms: "x",
    });
    const view = await viewPlan(access, PLAN);
    expect(view?.conclusion.state).toBe("SKIP");
    expect(view?.unreadable).toEqual([expect.stringContaining("ended_at_ms")]);
  });
});
