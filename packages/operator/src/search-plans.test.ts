import { useRedis } from "@quantum/harness/vitest";
import { beforeEach, describe, expect, it } from "vitest";
import { accessAs, add, keys, planIdOf } from "./access.fixture.ts";
import { type PlanQuery, searchPlans, type SearchOptions } from "./search-plans.ts";

const { result } = keys.streams;
const AT_MS = 1_769_301_000_000;

const { redis, server } = await useRedis();
const access = accessAs("viewer", server.url);
beforeEach(async () => {
  await redis.flushall();
});

const id = (n: number) => `${AT_MS + n}-0`;
const ended = (n: number, fields: Record<string, string>) =>
  add(redis, result, { plan_id: planIdOf(n), symbol: "BTCUSDT", attempt: `${n}-0`, ...fields }, id(n));
const blocked = (n: number, reason: string, fields: Record<string, string> = {}) =>
  ended(n, { outcome: "BLOCKED", reason, wait_ms: "12", ...fields });
const executed = (n: number, fields: Record<string, string> = {}) =>
  ended(n, { outcome: "EXECUTED", executed_qty: "0.1", ...fields });

async function waits(n: number): Promise<void> {
  await redis.sadd(keys.waitingSymbols, "BTCUSDT");
  await redis.zadd(keys.waiting("BTCUSDT"), AT_MS + n + 1_200, planIdOf(n));
  await redis.hset(keys.plan(planIdOf(n)), { state: "WAITING", symbol: "BTCUSDT", attempt: id(n) });
}

async function handedOver(n: number, order: Record<string, string> = {}): Promise<void> {
  const entry = ["symbol", "BTCUSDT", "attempt", `${n}-0`, "wait_ms", "12", "entry_id", id(n)];
  await redis.hset(keys.handedOver, planIdOf(n), JSON.stringify(entry));
  if (Object.keys(order).length > 0)
    await redis.hset(keys.order(planIdOf(n)), { attempt: `${n}-0`, ...order });
}

/** The numbers of the plans found, newest first. */
async function found(query: PlanQuery = {}, options: SearchOptions = {}): Promise<number[]> {
  const { rows } = await searchPlans(access, query, options);
  return rows.map(({ planId }) => Number.parseInt(planId, 16));
}

describe("plans are found by", () => {
  beforeEach(async () => {
    await blocked(1, "governor_permit_denied", { detail: "hourly_limit_exceeded" });
    await executed(2, { symbol: "ethusdt" });
    await blocked(3, "missing_p33");
    await executed(4);
    await redis.hset(keys.plan(planIdOf(4)), { attempt: "4-0", p26_verdict: "granted", p26_cap: "0.05" });
    await blocked(5, "governor_permit_denied", { detail: "burst_limit_exceeded" });
    await redis.hset(keys.plan(planIdOf(5)), {
      attempt: "5-0",
      governor_verdict: "denied",
      p33_verdict: "denied",
    });
  });

  it.each<[string, PlanQuery, number[]]>([
    ["nothing in particular", {}, [5, 4, 3, 2, 1]],
    ["fields that are left empty", { symbol: "", outcome: "", reason: "", issuer: "" }, [5, 4, 3, 2, 1]],
    ["symbol, in any case", { symbol: "EthUsdt" }, [2]],
    ["outcome, in any case", { outcome: "executed" }, [4, 2]],
    ["reason", { reason: "missing_p33" }, [3]],
    ["the issuer's own reason", { reason: "HOURLY_limit_exceeded" }, [1]],
    ["an issuer that denied", { issuer: "governor" }, [5, 1]],
    ["an issuer that denied, though another one had denied before", { issuer: "p33" }, [5]],
    ["an issuer that capped", { issuer: "p26" }, [4]],
    ["time", { fromMs: AT_MS + 2, toMs: AT_MS + 4 }, [4, 3, 2]],
    ["several of them", { symbol: "BTCUSDT", outcome: "BLOCKED", toMs: AT_MS + 3 }, [3, 1]],
    ["what no plan has", { reason: "kill_switch_active" }, []],
  ])("%s", async (_, query, plans) => {
    expect(await found(query)).toEqual(plans);
  });

  it("what an earlier attempt's issuers said is not taken for the newest one's", async () => {
    await redis.hset(keys.plan(planIdOf(4)), { attempt: "99-0" });
    expect(await found({ issuer: "p26" })).toEqual([]);
  });
});

describe("plans without an end", () => {
  beforeEach(async () => {
    await blocked(1, "missing_p33");
    await waits(2);
    await handedOver(3);
    await blocked(4, "missing_p33");
    await handedOver(5, { state: "SENT" });
    await handedOver(6, { state: "UNKNOWN", why: "timeout", unknown_at_ms: String(AT_MS + 9) });
    await handedOver(7, { state: "EXECUTED" });
  });

  it("stand among the others with their states, but not once their order has an outcome", async () => {
    const { rows } = await searchPlans(access, {});
    expect(rows.map(({ planId, outcome, reason, waitMs }) => [planId, outcome, reason, waitMs])).toEqual([
      [planIdOf(6), "UNKNOWN", "timeout", 12],
      [planIdOf(5), "SENT", "", 12],
      [planIdOf(4), "BLOCKED", "missing_p33", 12],
      [planIdOf(3), "PERMITTED", "", 12],
      [planIdOf(2), "WAITING", "", undefined],
      [planIdOf(1), "BLOCKED", "missing_p33", 12],
    ]);
  });

  it.each<[PlanQuery, SearchOptions, number[]]>([
    [{ outcome: "waiting" }, {}, [2]],
    [{ outcome: "UNKNOWN" }, {}, [6]],
    [{ toMs: AT_MS + 3 }, {}, [3, 2, 1]],
    [{ fromMs: AT_MS + 5 }, {}, [6, 5]],
    [{}, { onlyEnded: true }, [4, 1]],
  ])("are found by %o %o", async (query, options, plans) => {
    expect(await found(query, options)).toEqual(plans);
  });

  it("of which no copy can be read are told by their ids", async () => {
    await redis.hset(keys.handedOver, planIdOf(8), "not JSON");
    expect(await found({ outcome: "PERMITTED" })).toEqual([3, 8]);
  });
});

/** More than any list here has: a cursor that goes nowhere ends, too. */
const PAGES_MAX = 20;

describe("a page", () => {
  async function pages(query: PlanQuery, options: SearchOptions): Promise<string[][]> {
    const read: string[][] = [];
    let cursor: string | undefined;
    do {
      const { rows, next } = await searchPlans(access, { ...query, cursor }, options);
      read.push(rows.map(({ planId, outcome }) => `${Number.parseInt(planId, 16)} ${outcome}`));
      cursor = next;
    } while (cursor !== undefined && read.length < PAGES_MAX);
    return read;
  }

  it.each([1, 2, 3, 4, 7])("of %i begins where the one before ended", async (limit) => {
    for (const n of [1, 3, 5]) await blocked(n, "missing_p33");
    for (const n of [2, 4]) await waits(n);
    // The same id as a result has.
    await handedOver(3);
    const all = ["5 BLOCKED", "4 WAITING", "3 PERMITTED", "3 BLOCKED", "2 WAITING", "1 BLOCKED"];
    const read = await pages({}, { limit });
    expect(read.flat()).toEqual(all);
    expect(read[0]).toHaveLength(Math.min(limit, all.length));
  });

  it("ends when its time is up, says how far it got, and the next one goes on there", async () => {
    for (let n = 1; n <= 120; n += 1) await (n === 1 ? blocked(n, "missing_p33") : executed(n));
    const query = { outcome: "BLOCKED" };
    const first = await searchPlans(access, query, { budgetMs: 0 });
    expect(first).toMatchObject({ rows: [], searchedToMs: AT_MS + 71, oldestMs: AT_MS + 1 });
    const second = await searchPlans(access, { ...query, cursor: first.next });
    expect(second).toMatchObject({
      rows: [{ planId: planIdOf(1) }],
      next: undefined,
      searchedToMs: AT_MS + 1,
    });
  });

  it("says of a correction what it corrects, and believes no id that is none", async () => {
    await ended(1, { outcome: "NOT_PLACED", reason: "not_placed_by_evidence" });
    await executed(2, { corrects: id(1) });
    await executed(3, { corrects: `${id(1)} or so` });
    const { rows } = await searchPlans(access, {});
    const corrects = `corrects NOT_PLACED not_placed_by_evidence (${id(1)})`;
    expect(rows.map(({ detail }) => detail)).toEqual(["", corrects, ""]);
  });

  it("refuses a cursor that is none", async () => {
    await expect(searchPlans(access, { cursor: "1 2" })).rejects.toThrow(RangeError);
    expect(await searchPlans(access, {})).toEqual({
      rows: [],
      next: undefined,
      searchedToMs: 0,
      oldestMs: undefined,
    });
  });
});
