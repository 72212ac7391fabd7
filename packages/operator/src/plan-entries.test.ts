/** A plan's entries are found by what its record and its order say, and are those that a search of the streams finds. */
import { useRedis } from "@quantum/harness/vitest";
import { beforeEach, describe, expect, it } from "vitest";
import { accessAs, add, keys, planIdOf } from "./access.fixture.ts";
import { type PlanHistory, readPlan } from "./plan-history.ts";

const { plan, permit, execute, result } = keys.streams;
const PLAN = planIdOf(1);
const AT_MS = 1_769_301_000_000;
const at = (ms: number, sequence = 0) => `${AT_MS + ms}-${sequence}`;
const ms = (after: number) => String(AT_MS + after);

const { redis, server } = await useRedis();
const access = accessAs("viewer", server.url);
beforeEach(async () => {
  await redis.flushall();
});

const entry = (stream: string, id: string, fields: Record<string, string> = {}, planId = PLAN) =>
  add(redis, stream, { plan_id: planId, symbol: "BTCUSDT", ...fields }, id);

/** An executed plan, among others. @param shift of the ids against the record's times */
async function executed(shift = 0): Promise<void> {
  const attempt = at(shift);
  const id = (after: number) => at(after + shift);
  for (const n of [2, 3]) await entry(plan, at(shift - 10 + n), {}, planIdOf(n));
  await entry(plan, attempt, { decision: "EXECUTE" });
  await entry(permit, id(0), { issuer: "p33", attempt }, planIdOf(2));
  await entry(permit, id(3), { issuer: "governor", attempt });
  await entry(permit, id(4), { issuer: "p33", attempt });
  await entry(execute, id(5), { attempt });
  await entry(result, id(5), { outcome: "BLOCKED" }, planIdOf(2));
  await entry(result, id(30), { outcome: "EXECUTED", attempt });
  await redis.hset(keys.plan(PLAN), {
    ...{ state: "EXECUTED", symbol: "BTCUSDT", attempt, opened_at_ms: ms(0), ended_at_ms: ms(30) },
    ...{ governor_verdict: "granted", governor_at_ms: ms(3), p33_verdict: "granted", p33_at_ms: ms(4) },
    entry_id: id(5),
  });
  await redis.hset(keys.order(PLAN), {
    ...{ state: "EXECUTED", attempt, entry_id: id(5), result_id: id(30) },
    ...{ claimed_at_ms: ms(6), settled_at_ms: ms(30) },
  });
}

/** Each field that tells where an entry is, unreadable; of two that tell the same, both. */
function damages(): [string, () => Promise<unknown>][] {
  const damaged = (...fields: [key: string, field: string][]): [string, () => Promise<unknown>] => [
    `although nobody can read ${fields.map(([, field]) => field).join(" and ")}`,
    () => Promise.all(fields.map(([key, field]) => redis.hset(key, field, "soon"))),
  ];
  const [record, order] = [keys.plan(PLAN), keys.order(PLAN)];
  return [
    damaged([record, "attempt"], [record, "ended_at_ms"]),
    damaged([record, "governor_at_ms"]),
    damaged([record, "entry_id"], [order, "entry_id"]),
    damaged([record, "hand_over"]),
    damaged([order, "result_id"], [order, "settled_at_ms"], [record, "ended_at_ms"]),
    damaged([order, "attempt"]),
  ];
}

async function idsOf(budget?: number): Promise<Record<string, string[] | undefined> | undefined> {
  const history = await readPlan(
    access.partitions.account,
    PLAN,
    budget === undefined ? {} : { attemptsBudgetMs: budget },
  );
  const ids = (name: "plans" | "permits" | "executes" | "results") => history?.[name].map(({ id }) => id);
  return (
    history && {
      plans: ids("plans"),
      permits: ids("permits"),
      executes: ids("executes"),
      results: ids("results"),
    }
  );
}
const ALL = { plans: [at(0)], permits: [at(3), at(4)], executes: [at(5)], results: [at(30)] };

describe("the entries of a plan are found", () => {
  beforeEach(() => executed());

  it.each<[string, () => Promise<unknown>]>([
    ["by record and order", async () => undefined],
    ["by the record alone, as of a plan that was blocked", () => redis.del(keys.order(PLAN))],
    ["by the order, after the operators' reset", () => redis.del(keys.plan(PLAN))],
    ["in the streams alone", () => redis.del(keys.plan(PLAN), keys.order(PLAN))],
    ...damages(),
  ])("%s", async (_, change) => {
    await change();
    expect(await idsOf()).toEqual(ALL);
  });

  it("but not those that were trimmed", async () => {
    await redis.xtrim(permit, "MAXLEN", 1);
    await redis.xadd(result, at(500_000), "plan_id", planIdOf(9));
    await redis.xtrim(result, "MAXLEN", 1);
    await redis.xtrim(execute, "MAXLEN", 0);
    expect(await idsOf()).toEqual({ ...ALL, permits: [at(4)], executes: [], results: [] });
  });

  it("with a correction of the result", async () => {
    await entry(result, at(90_000), { outcome: "EXECUTED", corrects: at(30) });
    await redis.hset(keys.order(PLAN), { corrected_at_ms: ms(90_000) });
    expect(await idsOf()).toEqual({ ...ALL, results: [at(30), at(90_000)] });
  });

  it("of all its attempts, if it was opened more than once", async () => {
    await entry(plan, at(400_000), { decision: "EXECUTE" });
    await entry(result, at(401_200), { outcome: "BLOCKED", attempt: at(400_000) });
    const both = { ...ALL, plans: [at(0), at(400_000)], results: [at(30), at(401_200)] };
    expect(await idsOf()).toEqual(both);
    await redis.hset(keys.plan(PLAN), { state: "BLOCKED", attempt: at(400_000), ended_at_ms: ms(401_200) });
    expect(await idsOf()).toEqual(both);
  });
});

it("entries whose ids are ahead of the record's times are found: Redis's clock had been ahead", async () => {
  await executed(60_000);
  const shifted = (ids: readonly number[]) => ids.map((after) => at(after + 60_000));
  expect(await idsOf()).toEqual({
    plans: shifted([0]),
    permits: shifted([3, 4]),
    executes: shifted([5]),
    results: shifted([30]),
  });
});

it("other attempts are looked for no longer than was said, and the answer says how far", async () => {
  for (let n = 1; n <= 80; n += 1) await entry(plan, at(-1_000 + n), {}, planIdOf(100 + n));
  await executed();
  const history = (await readPlan(access.partitions.account, PLAN, { attemptsBudgetMs: 0 })) as PlanHistory;
  expect(history.notSearched).toBe(AT_MS - 1_000 + 34);
  expect(await idsOf(0)).toEqual(ALL);
  expect((await readPlan(access.partitions.account, PLAN))?.notSearched).toBeUndefined();
});

it("nothing is known of a plan that never was", async () => {
  await executed();
  expect(await readPlan(access.partitions.account, planIdOf(77))).toBeUndefined();
});
