/** What only the whole pipeline can show: Python issuers, and the operators' reset in mid-run. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { planId, resultEntry } from "@quantum/contract";
import { fieldsOf } from "@quantum/streams";
import { eventually, shellWord, urlOfUser } from "@quantum/harness";
import { readPlan } from "@quantum/operator";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ordersByPlan, type Rig, startRig } from "@quantum/harness/rig";

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

const entriesOf = async (stream: string) =>
  ((await rig.client.xrange(stream, "-", "+")) as [string, string[]][]).map(([id, flat]) => ({
    id,
    fields: fieldsOf(flat),
  }));

const results = async () =>
  (await entriesOf(rig.keys.streams.result)).map(({ fields }) => resultEntry.parse(fields));

async function propose(symbol: string, action: string): Promise<string> {
  const now = Date.now();
  const proposal = {
    harvest_action: action,
    kill_score: "0.7",
    new_sl_proposed: "None",
    R_net: "4.2",
    computed_at_utc: new Date(now).toISOString().replace("Z", "123"),
    last_update_epoch: String(Math.floor(now / 1000)),
  };
  await rig.client.xadd(rig.keys.streams.proposal, "*", "symbol", symbol, ...Object.entries(proposal).flat());
  return planId({
    symbol,
    harvestAction: action,
    killScore: 0.7,
    newSlProposed: undefined,
    computedAtUtc: proposal.computed_at_utc,
  });
}

/** What an operator is told of a plan is what the streams hold of it, whatever is left of its record. */
async function expectEveryEntryFound(): Promise<void> {
  const { client: redis, keys } = rig;
  const { plan, permit, execute, result } = keys.streams;
  const streams = { plans: plan, permits: permit, executes: execute, results: result };
  const held = new Map<string, Record<keyof typeof streams, string[]>>();
  for (const [name, stream] of Object.entries(streams))
    for (const { id, fields } of await entriesOf(stream)) {
      const { plan_id: planId = "" } = fields;
      const ids = held.get(planId) ?? { plans: [], permits: [], executes: [], results: [] };
      held.set(planId, ids);
      ids[name as keyof typeof streams].push(id);
    }
  for (const [planId, ids] of held) {
    const told = await readPlan({ redis, keys }, planId);
    const idsOf = (name: keyof typeof streams) => told?.[name].map(({ id }) => id);
    expect({
      plans: idsOf("plans"),
      permits: idsOf("permits"),
      executes: idsOf("executes"),
      results: idsOf("results"),
    }).toEqual(ids);
  }
}

describe("issuers that only set keys, as the Python ones do", () => {
  it("gets a plan executed at the exchange by two SETEX and nothing else", async () => {
    const unsigned = { EXECUTOR_UNSIGNED_ISSUERS: "governor,p33" };
    // In which the permits are set, however busy the machine is.
    const patient = { APPLY_PERMIT_WAIT_MS: "10000" };
    await Promise.all([rig.start("apply-layer", patient), rig.start("executor", unsigned)]);
    const id = await propose("BTCUSDT", "PARTIAL_75");
    await eventually(
      async () => (await entriesOf(rig.keys.streams.plan)).find(({ fields }) => fields["plan_id"] === id),
      5_000,
      "the plan is published",
    );
    const { positions } = (await rig.simState()) as unknown as {
      positions: { symbol: string; positionAmt: string }[];
    };
    const amount = Number(positions.find(({ symbol }) => symbol === "BTCUSDT")?.positionAmt);
    await rig.client.setex(
      `quantum:permit:${id}`,
      60,
      '{"granted": true, "symbol": "BTCUSDT", "decision": "EXECUTE", "computed_qty": 0.0, "computed_notional": 0.0, "created_at": 1769301008.977, "consumed": false}',
    );
    await rig.client.setex(
      `quantum:permit:p33:${id}`,
      60,
      `{"allow": true, "symbol": "BTCUSDT", "safe_close_qty": ${Math.abs(amount)}, "exchange_position_amt": ${amount}, "ledger_amt": ${amount}, "created_at": 1769297714.196, "reason": "sanity_checks_passed"}`,
    );
    const result = await eventually(
      async () => (await results()).find(({ plan_id }) => plan_id === id),
      5_000,
      "a result",
    );
    expect(result).toMatchObject({ executed: true, outcome: "EXECUTED", symbol: "BTCUSDT" });
    // The Python P3.3 grants the full position; the order is the plan's share of it.
    expect(Number(result.executed_qty)).toBeLessThanOrEqual(0.75 * Math.abs(amount));
    expect(Number(result.executed_qty)).toBeGreaterThan(0);
    expect(ordersByPlan(await rig.simState()).get(id)).toBe(1);
  });
});

describe("issuers of ours with the Python apply-layer", () => {
  it("answer a plan entry that has no record", async () => {
    await Promise.all([rig.start("governor"), rig.start("position-brain")]);
    const id = "00112233445566aa";
    await rig.client.xadd(
      rig.keys.streams.plan,
      "*",
      "plan_id",
      id,
      "symbol",
      "BTCUSDT",
      "action",
      "PARTIAL_50",
      "kill_score",
      "0.7",
      "decision",
      "EXECUTE",
      "reason_codes",
      "",
      "steps",
      '[{"step": "CLOSE_PARTIAL_50", "type": "market_reduce_only", "side": "close", "pct": 50.0}]',
      "close_qty",
      "0.0",
      "price",
      "",
      "timestamp",
      "1769301008",
    );
    const permit = async (key: string) => (await rig.client.get(key)) ?? undefined;
    const governor = await eventually(() => permit(`quantum:permit:${id}`), 5_000, "the governor's permit");
    const p33 = await eventually(() => permit(`quantum:permit:p33:${id}`), 5_000, "P3.3's permit");
    expect(JSON.parse(governor)).toMatchObject({ granted: true, symbol: "BTCUSDT", consumed: false });
    expect(JSON.parse(p33)).toMatchObject({ allow: true, symbol: "BTCUSDT" });
  });
});

describe("the operators' reset in mid-run", () => {
  it("never leads to a second order", async () => {
    const plans = 150;
    await Promise.all([
      rig.start("apply-layer"),
      rig.start("governor"),
      rig.start("position-brain"),
      rig.start("executor"),
    ]);
    const feed = await rig.start("harvest-feed", {
      FEED_RATE: "60",
      FEED_MAX: String(plans),
      // Plans that a reset abandons have no result, and hold their place for long.
      FEED_IN_FLIGHT_PER_SYMBOL: "100",
    });
    const url = urlOfUser(rig.redis.url, "operator");
    const cli = `${shellWord(rig.redis.binary.cli ?? "redis-cli")} -u ${url} --no-auth-warning`;
    const reset = `${cli} --scan --pattern "quantum:apply:*" | xargs ${cli} DEL`;
    const feeding = feed.waitForLog(({ msg }) => msg === "feed done", 25_000).then(() => "done" as const);
    let resets = 0;
    while ((await Promise.race([feeding, Promise.resolve("under way")])) !== "done") {
      await promisify(execFile)("sh", ["-c", reset]);
      resets += 1;
    }
    // Every attempt whose permits were spent ends; abandoned ones end with nothing.
    await eventually(
      async () => {
        const executes = await entriesOf(rig.keys.streams.execute);
        const ended = new Set((await results()).map(({ attempt }) => attempt));
        return executes.every(({ fields }) => ended.has(fields["attempt"] ?? "")) ? true : undefined;
      },
      10_000,
      "every spent attempt has its result",
    );
    const orders = ordersByPlan(await rig.simState());
    // How many there are is a matter of the machine.
    expect(resets).toBeGreaterThan(1);
    expect(orders.size).toBeGreaterThan(0);
    expect([...orders].filter(([, count]) => count > 1)).toEqual([]);
    // A plan that the last reset freed may open again in between.
    await vi.waitFor(expectEveryEntryFound, { timeout: 10_000, interval: 100 });
  });
});
