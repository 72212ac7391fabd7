import { existsSync, readFileSync } from "node:fs";
import { utcDay } from "@quantum/contract";
import { loadScript } from "@quantum/lua";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Decided } from "./decide.ts";
import {
  DEDUPE_TTL_SEC,
  FIELDS,
  keys,
  PLAN,
  proposalFrom,
  startScriptRig,
  SYMBOL,
  WAIT_MS,
} from "./script-rig.fixture.ts";
import type { OpenOptions } from "./open.ts";

const PROPOSALS = new URL("../../../../shared/data/harvest-proposals.jsonl", import.meta.url);
const CLOSE = { step: "CLOSE_PARTIAL_75", pct: 75 };
const EXECUTE: Decided = { decision: "EXECUTE", reason: "", close: CLOSE };
const DAY_SEC = 24 * 3600;

let rig: Awaited<ReturnType<typeof startScriptRig>>;
beforeAll(async () => void (rig = await startScriptRig()));
afterAll(() => rig.stop());
beforeEach(() => rig.redis.flushall());

const open = (decided: Decided = EXECUTE, options: Partial<OpenOptions> = {}) =>
  rig.opener(options)(proposalFrom(), decided);
const plansPublished = () => rig.entries(keys.streams.plan);
const results = () => rig.entries(keys.streams.result);
const attemptOf = async () => (await rig.redis.hget(keys.plan(PLAN), "attempt")) ?? "";

/** Spends the plan's permits, or returns what happened instead. */
async function spend(): Promise<string> {
  await rig.givePermits();
  const consumed = await rig.consumer()(PLAN, SYMBOL);
  return consumed.kind === "verdict" ? consumed.verdict.kind : consumed.kind;
}

/** An order as the executor leaves it; NOT_PLACED as before a claim. */
const orderIs = (state: string, attempt: string, attempt_no = "1") =>
  rig.redis.hset(keys.order(PLAN), { state, attempt, attempt_no });

describe("a plan that may wait", () => {
  it("is published in the wire's fields and order", async () => {
    const before = Date.now();
    const opened = await open();
    const [id, flat] = (await rig.redis.xrange(keys.streams.plan, "-", "+"))[0] ?? ["", []];
    expect(opened).toMatchObject({ kind: "opened", planId: PLAN, attempt: id });
    const [entry] = await plansPublished();
    const { timestamp = "", deadline_ms = "", ...fields } = entry ?? {};
    expect(flat.filter((_, index) => index % 2 === 0).join(" ")).toBe(
      "plan_id symbol action kill_score k_regime_flip k_sigma_spike k_ts_drop k_age_penalty new_sl_proposed R_net " +
        "decision reason_codes steps close_qty price timestamp attempt_no mode deadline_ms",
    );
    expect(fields).toEqual({
      plan_id: PLAN,
      symbol: SYMBOL,
      action: "PARTIAL_75",
      kill_score: "0.5273976547718264",
      k_regime_flip: "0.0",
      k_sigma_spike: "0.13983999999999996",
      k_ts_drop: "1e-05",
      k_age_penalty: "0.041666666666666664",
      new_sl_proposed: "100.2",
      R_net: "7.013614233516237",
      decision: "EXECUTE",
      reason_codes: "",
      steps: '[{"step": "CLOSE_PARTIAL_75", "type": "market_reduce_only", "side": "close", "pct": 75.0}]',
      close_qty: "0.0",
      price: "",
      attempt_no: "1",
      mode: "paper",
    });
    expect(Number(timestamp)).toBeGreaterThanOrEqual(Math.floor(before / 1000));
    expect(timestamp).toMatch(/^\d{10}$/);
    expect(Number(deadline_ms)).toBeGreaterThanOrEqual(before + WAIT_MS);
    expect(await results()).toEqual([]);
  });

  it("has its record, its marks and its place in the waiting list, each with its life time", async () => {
    const { redis } = rig;
    const opened = await open();
    const record = await redis.hgetall(keys.plan(PLAN));
    expect(record).toMatchObject({ state: "WAITING", symbol: SYMBOL, mode: "paper", attempt_no: "1" });
    expect(record).toMatchObject({ step: "CLOSE_PARTIAL_75", close_pct: "75" });
    expect(Number(record["deadline_ms"]) - Number(record["opened_at_ms"])).toBe(WAIT_MS);
    expect(opened).toMatchObject({ remainingMs: WAIT_MS });
    expect(await redis.zscore(keys.waiting(SYMBOL), PLAN)).toBe(record["deadline_ms"]);
    expect(await redis.get(keys.dedupe(PLAN))).toMatch(/^\d{10}$/);
    expect(await redis.get(keys.published(PLAN))).toBe("1");
    const ttls = [keys.plan(PLAN), keys.dedupe(PLAN), keys.published(PLAN)].map((key) => redis.ttl(key));
    expect(await Promise.all(ttls)).toEqual([DAY_SEC, DEDUPE_TTL_SEC, 300]);
  });

  it("is as old as its proposal, at least as its opening", async () => {
    const { redis } = rig;
    for (const [given, expected] of [
      [1_769_301_008_000, "1769301008000"],
      [undefined, "opened_at_ms"],
      [Date.now() + 60_000, "opened_at_ms"],
    ] as const) {
      await redis.flushall();
      await rig.opener()(proposalFrom(FIELDS), EXECUTE, given);
      const record = await redis.hgetall(keys.plan(PLAN));
      expect(record["proposed_ms"]).toBe(record[expected] ?? expected);
    }
  });

  it.each([
    ["just older than it may be", -300_001, "SKIP proposal_stale"],
    ["nearly as old as it may be", -290_000, "EXECUTE "],
    ["from the future, as a publisher's clock may be ahead", 4_900, "EXECUTE "],
    ["further from the future", 10_000, "SKIP proposal_stale"],
  ])("is judged by Redis's clock when its proposal is %s", async (_, agoMs, published) => {
    await open({ ...EXECUTE, fresh: { proposedMs: Date.now() + agoMs, maxAgeMs: 300_000 } });
    const [plan] = await plansPublished();
    expect(`${plan?.["decision"]} ${plan?.["reason_codes"]}`).toBe(published);
  });

  it("says so when it is stale, whatever else would become of it, but for the kill switch", async () => {
    const fresh = { proposedMs: 0, maxAgeMs: 300_000 };
    const refused: Decided = { decision: "BLOCKED", reason: "backlog_full", fresh };
    expect(await open(refused)).toMatchObject({ decision: "SKIP", reason: "proposal_stale" });
    await rig.redis.flushall();
    await rig.redis.set(keys.killSwitch, "1");
    expect(await open(refused)).toMatchObject({ decision: "BLOCKED", reason: "kill_switch_active" });
  });

  it("has no deadline further away than a wait is long, for whoever finds it after Redis's clock stepped back", async () => {
    await open();
    await rig.redis.hset(keys.plan(PLAN), "deadline_ms", Date.now() + 3_600_000);
    const found = await open();
    expect(found).toMatchObject({ kind: "duplicate", remainingMs: WAIT_MS });
  });

  it("shows fields that the proposal lacks as the Python apply-layer does", async () => {
    const bare = { harvest_action: "FULL_CLOSE_PROPOSED", kill_score: "1" };
    const absent = { k_regime_flip: "0.0", k_sigma_spike: "0.0", k_ts_drop: "0.0", k_age_penalty: "0.0" };
    await rig.opener()(proposalFrom(bare), EXECUTE);
    // The Python apply-layer also takes 0 as "no stop loss".
    await rig.opener()(proposalFrom({ ...bare, new_sl_proposed: "0" }), EXECUTE);
    const shown = { kill_score: "1.0", new_sl_proposed: "", R_net: "", ...absent };
    expect(await plansPublished()).toMatchObject([shown, shown]);
  });

  it("starts without the permits and blocks that an earlier attempt left", async () => {
    await rig.givePermits();
    await rig.redis.set(keys.block("governor", PLAN), '{"reason": "old"}');
    await rig.redis.set(keys.block("p33", PLAN), '{"reason": "old"}');
    await open();
    expect(await rig.redis.keys("quantum:permit:*")).toEqual([]);
    expect(await rig.redis.keys("quantum:*:block:*")).toEqual([]);
  });
});

describe("a plan that may not wait", () => {
  it.each([
    ["SKIP", "action_hold", ""],
    ["BLOCKED", "kill_score_critical", "kill_score_critical"],
    ["ERROR", "unknown_action_FLIP", "unknown_action_FLIP"],
  ] as const)("%s is published together with its one result", async (decision, reason, error) => {
    expect(await open({ decision, reason })).toEqual({ kind: "ended", planId: PLAN, decision, reason });
    expect(await plansPublished()).toMatchObject([{ decision, reason_codes: reason, steps: "[]" }]);
    const outcome = { decision, executed: "False", would_execute: "False", error, outcome: decision, reason };
    expect(await results()).toMatchObject([{ plan_id: PLAN, attempt: await attemptOf(), ...outcome }]);
    expect(await rig.redis.zcard(keys.waiting(SYMBOL))).toBe(0);
    expect(await rig.redis.hgetall(keys.plan(PLAN))).toMatchObject({ state: decision, reason });
    const before = await rig.keyspace();
    expect(await open({ decision, reason })).toMatchObject({ kind: "duplicate", state: decision });
    expect(await rig.keyspace()).toEqual(before);
  });

  it.each([
    ["EXECUTE", "kill switch", "BLOCKED kill_switch_active"],
    ["SKIP", "kill switch", "BLOCKED kill_switch_active"],
    ["ERROR", "kill switch", "BLOCKED kill_switch_active"],
    ["EXECUTE", "disarm", "BLOCKED disarmed"],
    ["EXECUTE", "disarm of today", "BLOCKED disarmed"],
    ["SKIP", "disarm", "SKIP why"],
    ["ERROR", "disarm", "ERROR why"],
  ] as const)("%s under the %s: %s", async (decision, halt, expected) => {
    const names = {
      "kill switch": keys.killSwitch,
      disarm: keys.disarm,
      "disarm of today": keys.disarmOf(utcDay(Date.now())),
    };
    await rig.redis.set(names[halt], "yes");
    const opened = await open(decision === "EXECUTE" ? EXECUTE : { decision, reason: "why" });
    expect(opened.kind === "ended" && `${opened.decision} ${opened.reason}`).toBe(expected);
    expect(await results()).toHaveLength(1);
  });

  it("is assumed when the kill switch cannot be read", async () => {
    await rig.redis.hset(keys.killSwitch, "on", "1");
    expect(await open()).toMatchObject({ kind: "ended", reason: "kill_switch_active" });
  });
});

describe("a plan that comes again", () => {
  it("is a duplicate that changes nothing, however often and from however many at once", async () => {
    const opened = await Promise.all(Array.from({ length: 20 }, () => open()));
    expect(opened.filter(({ kind }) => kind === "opened")).toHaveLength(1);
    const before = await rig.keyspace();
    await rig.redis.script("FLUSH");
    const again = await open();
    expect(again).toMatchObject({ kind: "duplicate", planId: PLAN, state: "WAITING" });
    expect(again.kind === "duplicate" && again.remainingMs > WAIT_MS / 2).toBe(true);
    expect(await rig.keyspace()).toEqual(before);
  });

  it("is a duplicate while it waits, although its dedupe mark is gone", async () => {
    await open();
    await rig.redis.del(keys.dedupe(PLAN));
    expect(await open()).toMatchObject({ kind: "duplicate", state: "WAITING" });
    expect(await plansPublished()).toHaveLength(1);
  });

  const LIVES: Record<string, () => Promise<unknown>> = {
    waiting: () => open(),
    skipped: () => open({ decision: "SKIP", reason: "action_hold" }),
    blocked: async () => {
      await open();
      await rig.redis.set(keys.killSwitch, "1");
      await spend();
      await rig.redis.del(keys.killSwitch);
    },
    dry: async () => {
      await open(EXECUTE, { mode: "dry_run" });
      await spend();
    },
    spent: async () => {
      await open();
      await spend();
    },
    "NOT_PLACED after its claim": async () => {
      await open();
      await spend();
      await orderIs("NOT_PLACED", await attemptOf());
      await rig.redis.hset(keys.order(PLAN), "client_order_id", `qp-${PLAN}-1`);
    },
  };
  const liveUntil = async (state: string) => {
    const live = LIVES[state] ?? LIVES["spent"];
    await live?.();
    if (!(state in LIVES)) await orderIs(state, await attemptOf());
  };

  it.each(["waiting", "skipped", "blocked", "dry", "NOT_PLACED"])(
    "opens afresh after the operators' reset, having been %s",
    async (state) => {
      await liveUntil(state);
      await rig.operatorsReset();
      expect(await open()).toMatchObject({ kind: "opened" });
    },
  );

  it.each(["spent", "SENT", "EXECUTED", "UNKNOWN", "REJECTED", "NOT_PLACED after its claim"])(
    "is a duplicate even after the operators' reset, having been %s",
    async (state) => {
      await liveUntil(state);
      await rig.operatorsReset();
      const before = await rig.keyspace();
      expect(await open()).toMatchObject({ kind: "duplicate", state: "unknown" });
      expect(await rig.keyspace()).toEqual(before);
    },
  );

  it("is a duplicate once its permits were spent, though somebody deletes its order key", async () => {
    await liveUntil("NOT_PLACED after its claim");
    await rig.redis.del(keys.order(PLAN));
    await rig.operatorsReset();
    expect(await open()).toMatchObject({ kind: "duplicate" });
  });

  it("is a new attempt with the next number once its order was refused before the claim", async () => {
    await open();
    expect(await spend()).toBe("ok");
    const first = await attemptOf();
    await orderIs("NOT_PLACED", first);
    expect(await open()).toMatchObject({ kind: "duplicate" }); // The dedupe mark still lives.
    await rig.redis.del(keys.dedupe(PLAN));
    expect(await open()).toMatchObject({ kind: "opened" });
    expect(await rig.redis.hget(keys.plan(PLAN), "attempt_no")).toBe("2");
    expect(await plansPublished()).toMatchObject([{ attempt_no: "1" }, { attempt_no: "2" }]);
    expect(await attemptOf()).not.toBe(first);
  });

  it("stays a duplicate while a later attempt's order may come, whatever became of an earlier one", async () => {
    await open();
    expect(await spend()).toBe("ok");
    await orderIs("NOT_PLACED", await attemptOf());
    await rig.operatorsReset();
    await open();
    expect(await spend()).toBe("ok");
    await rig.operatorsReset();
    expect(await open()).toMatchObject({ kind: "duplicate" });
    expect(await rig.entries(keys.streams.execute)).toMatchObject([{ attempt_no: "1" }, { attempt_no: "2" }]);
  });

  it("is no duplicate of another plan", async () => {
    await open();
    const other = proposalFrom({ ...FIELDS, kill_score: "0.5273986" });
    expect(await rig.opener()(other, EXECUTE)).toMatchObject({ kind: "opened" });
  });
});

describe("a key of the wrong type", () => {
  const KEYS = [
    keys.plan(PLAN),
    keys.waiting(SYMBOL),
    keys.streams.plan,
    keys.streams.result,
    keys.order(PLAN),
  ];

  it.each(KEYS)("at %s fails before anything is written", async (key) => {
    await rig.redis.set(key, "not what it should be");
    const before = await rig.keyspace();
    await expect(open()).rejects.toThrow("WRONGTYPE");
    expect(await rig.keyspace()).toEqual(before);
  });

  it("at the memory of spent permits is not taken for nothing spent", async () => {
    await rig.redis.hset(keys.spent(PLAN), "verdict", "OK");
    await expect(open()).rejects.toThrow("WRONGTYPE");
    expect(await plansPublished()).toEqual([]);
  });
});

describe("the script", () => {
  it("answers with each status of its header", async () => {
    const kinds = new Set<string>();
    for (const decided of [EXECUTE, EXECUTE, { decision: "SKIP", reason: "action_hold" } as const]) {
      if (decided.decision === "SKIP") await rig.redis.flushall();
      kinds.add((await open(decided)).kind.toUpperCase());
    }
    expect(kinds).toEqual(new Set(loadScript("plans/open").replies));
  });

  it.skipIf(!existsSync(PROPOSALS))(
    "gives every recorded proposal the plan id of the Python services",
    async () => {
      const lines = readFileSync(PROPOSALS, "utf8").trim().split("\n");
      const open = rig.opener();
      const ids = await Promise.all(
        lines.map(async (line) => {
          const { symbol = "", expected_plan_id, ...fields } = JSON.parse(line) as Record<string, string>;
          const opened = await open(proposalFrom(fields, symbol), EXECUTE);
          return { opened: opened.planId, expected: expected_plan_id };
        }),
      );
      expect(ids.filter(({ opened, expected }) => opened !== expected)).toEqual([]);
      const distinct = new Set(ids.map(({ expected }) => expected)).size;
      expect(await rig.redis.xlen(keys.streams.plan)).toBe(distinct);
    },
  );
});
