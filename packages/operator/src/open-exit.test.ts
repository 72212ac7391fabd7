/** lua/operator/exit through its typed wrapper and by itself: every reply, what it writes, and what it leaves alone. */
import {
  createKeys,
  DRILL_SYMBOL,
  EXIT_VALID_MS,
  executeEntry,
  parseRecord,
  parseSignedPermit,
  planEntry,
  planRecord,
  TTL_SEC,
} from "@quantum/contract";
import { keyspaceOf } from "@quantum/harness";
import { useRedis } from "@quantum/harness/vitest";
import { bindScript } from "@quantum/redis";
import { provideKey, type Signer } from "@quantum/signing";
import { fieldsOf } from "@quantum/streams";
import * as fc from "fast-check";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { accessTo } from "./access.fixture.ts";
import { force } from "./changes.ts";
import { type ExitOrder, type ExitSigner, openDrill, openExit } from "./open-exit.ts";

const keys = createKeys();
const { streams } = keys;
const BY = { who: "ann@desk", reason: 'a drill, or "not"' };
const ORDER: ExitOrder = { action: "exit.flatten", symbol: "币安USDT", position: "-2.467", quantity: "1.5" };

const { redis } = await useRedis();
const access = accessTo({ redis, keys });
let folder: string;
let key: Signer;
let alice: ExitSigner;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quantum-operator-"));
  const place = {
    privateFile: join(folder, "operator-alice.pem"),
    publicFile: join(folder, "operators.json"),
  };
  key = await provideKey({ issuer: "alice", ...place });
  alice = { operator: "alice", key, mode: "paper", venue: "simulated", account: "desk 2" };
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(async () => {
  await redis.flushall();
});

const entriesOf = async (stream: string) => (await redis.xrange(stream, "-", "+")) as [string, string[]][];
async function onlyEntry(stream: string): Promise<{ id: string; fields: Record<string, string> }> {
  const entries = await entriesOf(stream);
  expect(entries).toHaveLength(1);
  const [[id, flat] = ["", []]] = entries;
  return { id, fields: fieldsOf(flat) };
}
async function opened(order = ORDER) {
  const exit = await openExit(access, alice, order, BY);
  if (exit.kind !== "opened") throw new Error(exit.kind);
  return exit;
}
async function unchanged(action: () => Promise<unknown>): Promise<void> {
  const before = await keyspaceOf(redis);
  await action();
  expect(await keyspaceOf(redis)).toEqual(before);
}

describe("OPENED", () => {
  it("opens, spends and hands over in one step, as consume does", async () => {
    const { planId, attempt, entryId, untilMs } = await opened();
    const plan = await onlyEntry(streams.plan);
    expect(plan.id).toBe(attempt);
    expect(planEntry.parse(plan.fields)).toMatchObject({
      plan_id: planId,
      symbol: ORDER.symbol,
      action: "CLOSE_BY_OPERATOR",
      decision: "EXECUTE",
      steps: [{ step: "CLOSE_BY_OPERATOR", type: "market_reduce_only", side: "close", pct: 100 }],
      mode: "paper",
      attempt_no: 1,
      class: "operator",
    });
    const execute = await onlyEntry(streams.execute);
    expect(execute.id).toBe(entryId);
    expect(Object.keys(execute.fields).at(-1)).toBe("signed");
    expect(executeEntry.parse(execute.fields)).toMatchObject({
      plan_id: planId,
      attempt,
      attempt_no: 1,
      step: "CLOSE_BY_OPERATOR",
      close_pct: "100",
      position_amt: "-2.467",
      safe_qty: "1.5",
      max_qty: "",
      valid_until_ms: untilMs,
    });
    const { signed = "", ...unsigned } = execute.fields;
    const copy = JSON.stringify(Object.entries({ ...unsigned, entry_id: entryId, class: "operator" }).flat());
    const record = await redis.hgetall(keys.plan(planId));
    expect(record["entry_id"]).toBe(entryId);
    const kept = (await redis.hget(keys.handedOver, planId)) ?? "";
    expect(JSON.parse(kept)).toEqual(JSON.parse(copy));
    expect(await redis.get(keys.spent(planId))).toBe(
      `OK ${attempt} ${record["verdict_at_ms"]} 1.5 ${entryId} ${ORDER.symbol}\n${kept}`,
    );
    expect(signed.split("\n")).toHaveLength(1);
  });

  it("keeps a record with who, why and of which class, for as long as any plan's", async () => {
    const { planId, attempt } = await opened();
    const hash = await redis.hgetall(keys.plan(planId));
    expect(parseRecord(planRecord, "", hash, planRecord.always as never)).toMatchObject({
      state: "PERMITTED",
      symbol: ORDER.symbol,
      mode: "paper",
      attempt,
      attempt_no: 1,
    });
    expect(hash).toMatchObject({ class: "operator", operator: "alice", exit_why: BY.reason, wait_ms: "0" });
    expect(await redis.ttl(keys.plan(planId))).toBeGreaterThan(TTL_SEC.plan - 10);
    expect(await redis.ttl(keys.spent(planId))).toBeGreaterThan(TTL_SEC.spent - 10);
  });

  it("is on record in the audit, and writes nothing else: no wait, no mark, no claim, no result", async () => {
    const { planId } = await opened();
    const { fields } = await onlyEntry(streams.operatorAudit);
    expect(fields).toMatchObject({ action: "exit.flatten", target: ORDER.symbol, ...BY });
    expect(JSON.parse(fields["detail"] ?? "")).toEqual({
      plan_id: planId,
      operator: "alice",
      position: "-2.467",
      quantity: "1.5",
    });
    expect((await redis.keys("*")).toSorted()).toEqual(
      [
        keys.plan(planId),
        keys.spent(planId),
        keys.handedOver,
        streams.plan,
        streams.execute,
        streams.operatorAudit,
      ].toSorted(),
    );
  });

  it("signs exactly what the executor compares: the operator's word, for 60 s by Redis's clock", async () => {
    const { planId, untilMs } = await opened();
    const read = parseSignedPermit((await onlyEntry(streams.execute)).fields["signed"] ?? "");
    expect(read).toMatchObject({
      claims: {
        kid: key.kid,
        issuer: "alice",
        class: "operator",
        mode: "paper",
        venue: "simulated",
        account: "desk 2",
        plan: planId,
        attempt: "0-0",
        symbol: ORDER.symbol,
        side: "BUY",
        step: "CLOSE_BY_OPERATOR",
        pct: "100",
        safe_qty: "1.5",
        position: "-2.467",
        computed_qty: "",
        issued_ms: String(untilMs - EXIT_VALID_MS),
        until_ms: String(untilMs),
      },
    });
  });

  it("of a drill names the account and no quantity", async () => {
    const drill = await openDrill(access, alice, BY);
    if (drill.kind !== "opened") throw new Error(drill.kind);
    const { fields } = await onlyEntry(streams.execute);
    expect(executeEntry.parse(fields)).toMatchObject({
      symbol: DRILL_SYMBOL,
      position_amt: "0",
      safe_qty: "0",
    });
    expect(parseSignedPermit(fields["signed"] ?? "")).toMatchObject({
      claims: { class: "drill", symbol: DRILL_SYMBOL, side: "", safe_qty: "", position: "" },
    });
    expect(await redis.get(keys.spent(drill.planId))).toMatch(/^OK \S+ \d+ 0 /);
    expect((await onlyEntry(streams.operatorAudit)).fields["action"]).toBe("exit.drill");
    expect((await onlyEntry(streams.plan)).fields["class"]).toBe("drill");
  });

  it("asks no halt, and works while Redis is out of memory", async () => {
    await redis.mset(keys.killSwitch, "1", keys.disarm, "{}");
    await opened();
    await redis.config("SET", "maxmemory", "1");
    try {
      expect(await openExit(access, alice, ORDER, BY)).toMatchObject({ kind: "opened" });
    } finally {
      await redis.config("SET", "maxmemory", "0");
    }
  });

  it("sells what is long and buys what is short, for whatever amounts", async () => {
    const decimal = fc
      .tuple(fc.nat(), fc.nat({ max: 999 }))
      .map(([whole, part]) => `${whole}.${String(part).padStart(3, "0")}`);
    await fc.assert(
      fc.asyncProperty(fc.boolean(), decimal, decimal, async (isShort, amount, quantity) => {
        await redis.flushall();
        const position = `${isShort ? "-" : ""}${amount}`;
        await opened({ ...ORDER, position, quantity });
        const { signed = "", position_amt, safe_qty } = (await onlyEntry(streams.execute)).fields;
        expect([position_amt, safe_qty]).toEqual([position, quantity]);
        const side = isShort ? "BUY" : "SELL";
        expect(parseSignedPermit(signed)).toMatchObject({ claims: { side, position, safe_qty: quantity } });
      }),
      { numRuns: 20 },
    );
  });

  it.each(["ü", "", "2;kid=0"])(
    "cannot be signed for the quantity %j, and nothing is written",
    async (quantity) => {
      const exit = openExit(access, alice, { ...ORDER, quantity: quantity || "x" }, BY);
      await expect(exit).rejects.toThrow(RangeError);
      expect(await redis.dbsize()).toBe(0);
    },
  );
});

describe("the script", () => {
  const script = bindScript("operator/exit");
  const PLAN = "67e6da21fa9fe506";
  const run = async (over: Record<string, string> = {}) => {
    const [seconds] = await redis.time();
    return script(redis, {
      keys: {
        plan: keys.plan(PLAN),
        spent: keys.spent(PLAN),
        order: keys.order(PLAN),
        plans: streams.plan,
        executes: streams.execute,
        handed_over: keys.handedOver,
        audit: streams.operatorAudit,
      },
      args: {
        plan_id: PLAN,
        symbol: "BTCUSDT",
        class: "operator",
        mode: "paper",
        step: "CLOSE_BY_OPERATOR",
        close_pct: "100",
        position_amt: "1",
        safe_qty: "1",
        until_ms: String(Number(seconds) * 1000 + 60_000),
        signed: "v=1",
        operator: "alice",
        action: "exit.close",
        ...BY,
        spent_sec: "100",
        record_sec: "100",
        ...over,
      },
    });
  };

  it("KNOWN: the second run changes nothing, also after SCRIPT FLUSH, also once it would be too late", async () => {
    const [status, ...ids] = await run();
    expect(status).toBe("OPENED");
    await redis.script("FLUSH");
    for (const over of [{}, { until_ms: "1" }, { safe_qty: "9", signed: "v=2" }])
      await unchanged(async () => expect(await run(over)).toEqual(["KNOWN", ...ids]));
  });

  it.each([
    ["its record", () => redis.del(keys.spent(PLAN))],
    ["what was spent", () => redis.del(keys.plan(PLAN))],
  ])("KNOWN: by %s alone", async (_, strike) => {
    const [, attempt] = await run();
    await strike();
    await unchanged(async () => expect((await run()).slice(0, 2)).toEqual(["KNOWN", attempt]));
  });

  it("KNOWN: by its order alone, and by an ordinary plan of the same id", async () => {
    await redis.hset(keys.order(PLAN), { state: "EXECUTED", attempt: "1-0", entry_id: "2-0" });
    await unchanged(async () => expect(await run()).toEqual(["KNOWN", "1-0", "2-0"]));
    await redis.flushall();
    await redis.hset(keys.plan(PLAN), { state: "WAITING", attempt: "1-0" });
    await unchanged(async () => expect(await run()).toEqual(["KNOWN", "1-0", ""]));
  });

  it("of two calls at once, one opens", async () => {
    const statuses = (await Promise.all([run(), run()])).map(([status = ""]) => status);
    expect(statuses.toSorted()).toEqual(["KNOWN", "OPENED"]);
    expect(await entriesOf(streams.execute)).toHaveLength(1);
  });

  it("LATE: a signature that has ended opens nothing", async () => {
    await unchanged(async () => expect((await run({ until_ms: "1" }))[0]).toBe("LATE"));
    await unchanged(async () =>
      expect((await run({ until_ms: String(Date.now() - 2_000) }))[0]).toBe("LATE"),
    );
  });

  it.each([
    keys.plan(PLAN),
    keys.spent(PLAN),
    keys.order(PLAN),
    keys.handedOver,
    streams.plan,
    streams.execute,
    streams.operatorAudit,
  ])("fails whole on a wrong type of %s", async (name) => {
    await redis.lpush(name, "not yours");
    await unchanged(async () => expect(run()).rejects.toThrow("WRONGTYPE"));
  });

  it("leaves a plan that force does not touch, before its claim and after it was refused", async () => {
    await run();
    await unchanged(async () =>
      expect(await force(access.partitions.account, PLAN, BY)).toEqual({ kind: "order" }),
    );
    const attempt = (await redis.hget(keys.plan(PLAN), "attempt")) ?? "";
    await redis.hset(keys.order(PLAN), { state: "NOT_PLACED", attempt });
    await unchanged(async () =>
      expect(await force(access.partitions.account, PLAN, BY)).toEqual({ kind: "free" }),
    );
  });
});
