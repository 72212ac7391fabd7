import { useRedis } from "@quantum/harness/vitest";
import { beforeEach, describe, expect, it } from "vitest";
import { accessAs, accessTo, add, BY, keys, planIdOf } from "./access.fixture.ts";
import { pageAudit } from "./audit.ts";
import {
  type DeadLetterFilter,
  dropLetters,
  pageDeadLetters,
  requeueLetters,
  wantedDeadLetters,
} from "./dead-letters.ts";
import { operations } from "./operations.ts";

const { plan, result, deadLetter } = keys.streams;

const { redis, server } = await useRedis();
const access = accessAs("operator", server.url);
beforeEach(async () => {
  await redis.flushall();
});

async function letter(reason: string, fields: Record<string, string> = {}): Promise<string> {
  return add(redis, deadLetter, { stream: plan, group: "governor", entry_id: "1-0", reason, ...fields });
}

/** A letter whose entry is still in its stream. */
async function givenUp(n: number): Promise<string> {
  const entryId = await add(redis, plan, { plan_id: planIdOf(n) });
  return letter("bad", { entry_id: entryId });
}

describe("dead letters are found by", () => {
  beforeEach(async () => {
    await letter("plan_id: must be 16 lower-case hex digits");
    await letter("no symbol", { group: "p33" });
    await letter("Plan_id: missing", { stream: result });
  });

  it.each<[DeadLetterFilter, string[]]>([
    [{}, ["Plan_id: missing", "no symbol", "plan_id: must be 16 lower-case hex digits"]],
    [
      { stream: "", group: "", reason: "" },
      ["Plan_id: missing", "no symbol", "plan_id: must be 16 lower-case hex digits"],
    ],
    [{ reason: "PLAN_ID" }, ["Plan_id: missing", "plan_id: must be 16 lower-case hex digits"]],
    [{ reason: "plan_id", stream: result }, ["Plan_id: missing"]],
    [{ stream: "apply.result" }, ["Plan_id: missing"]],
    [{ group: "p33" }, ["no symbol"]],
    [{ group: "p3" }, []],
  ])("%o", async (filter, reasons) => {
    const { rows, total, next } = await pageDeadLetters(access, filter);
    expect(rows.map(({ reason }) => reason)).toEqual(reasons);
    expect({ total, next }).toEqual({ total: 3, next: undefined });
    const all = await Array.fromAsync(wantedDeadLetters(access, filter));
    expect(all.map(({ reason }) => reason)).toEqual(reasons);
  });
});

it("a page of dead letters ends with a cursor, at which the next one goes on", async () => {
  for (let n = 0; n < 51; n += 1) await letter(`bad ${n}`);
  const first = await pageDeadLetters(access, {});
  expect(first.rows).toHaveLength(50);
  const second = await pageDeadLetters(access, { cursor: first.next });
  expect(second).toMatchObject({ rows: [{ reason: "bad 0" }], next: undefined, total: 51 });
});

it.each([pageDeadLetters, pageAudit])("a cursor that is none is refused", async (page) => {
  await expect(page(access, { cursor: "1 2" })).rejects.toThrow(RangeError);
});

describe("several dead letters at once", () => {
  it("are given back, each on record; what cannot be says why and does not stop the others", async () => {
    await redis.xgroup("CREATE", plan, "governor", "0", "MKSTREAM");
    const [good, other] = [await givenUp(1), await givenUp(2)];
    const trimmed = await letter("bad", { entry_id: "7-0" });
    const orphaned = await letter("bad", {
      entry_id: await add(redis, plan, { plan_id: planIdOf(3) }),
      group: "gone",
    });
    const handled = await requeueLetters(access, [good, trimmed, orphaned, "no id", "5-5", other, good], BY);
    expect(handled).toEqual([
      { id: good, done: true, why: "" },
      { id: trimmed, done: false, why: `7-0 is no longer in ${plan}` },
      { id: orphaned, done: false, why: expect.stringContaining("NOGROUP") },
      { id: "no id", done: false, why: "there is no such dead letter" },
      { id: "5-5", done: false, why: "there is no such dead letter" },
      { id: other, done: true, why: "" },
    ]);
    expect((await redis.xpending(plan, "governor"))[0]).toBe(2);
    const { rows } = await pageAudit(access);
    expect(rows.map(({ action, target, who, reason }) => ({ action, target, who, reason }))).toEqual([
      { action: "dlq.requeue", target: other, ...BY },
      { action: "dlq.requeue", target: good, ...BY },
    ]);
    expect(await redis.xlen(deadLetter)).toBe(2);
  });

  it("are dropped, and the audit keeps their texts", async () => {
    const ids = [await letter("one"), await letter("two")];
    expect(await dropLetters(access, [...ids, "9-9"], BY)).toEqual([
      { id: ids[0], done: true, why: "" },
      { id: ids[1], done: true, why: "" },
      { id: "9-9", done: false, why: "there is no such dead letter" },
    ]);
    expect(await redis.xlen(deadLetter)).toBe(0);
    const { rows } = await pageAudit(access);
    expect(rows.map(({ detail }) => (JSON.parse(detail) as { reason: string }).reason).toSorted()).toEqual([
      "one",
      "two",
    ]);
  });
});

describe("several dead letters, if Redis fails midway", () => {
  const reply = (message: string) => Object.assign(new Error(message), { name: "ReplyError" });
  /** Fails from the `from`-th of 45 letters on. */
  async function failing(from: number, error: Error) {
    const ids = [];
    for (let n = 0; n < 45; n += 1) ids.push(await letter(`bad ${n}`));
    let looks = 0;
    const { redis: real } = access.partitions.account;
    const half = new Proxy(real, {
      get: (target, name) => {
        if (name === "xrange" && (looks += 1) > from) return () => Promise.reject(error);
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    return { ids, access: { ...access, ...accessTo({ redis: half, keys }) } };
  }

  it.each([
    [
      reply("LOADING Redis is loading the dataset in memory"),
      "LOADING Redis is loading the dataset in memory",
    ],
    [
      new Error("Connection is closed."),
      "Redis did not answer, so it may be done or not: look again (Connection is closed.)",
    ],
  ])("tell what was done, what is not known, and what was not tried: %o", async (error, why) => {
    const { ids, access: half } = await failing(30, error);
    const told = await operations.drop.run(half, { ids }, BY);
    expect(told).toBe(
      `30 dropped. Left: 10, such as ${ids[30]}: ${why}; 5, such as ${ids[40]}: it was not tried, because Redis failed before: ${error.message}.`,
    );
    expect(await redis.xlen(deadLetter)).toBe(15);
  });

  it("throw what it failed with, if nothing was done", async () => {
    const { ids, access: half } = await failing(0, reply("LOADING Redis is loading"));
    await expect(dropLetters(half, ids, BY)).rejects.toThrow("LOADING");
    expect(await redis.xlen(deadLetter)).toBe(45);
  });
});

it("the audit is told newest first, page by page", async () => {
  for (let n = 0; n < 51; n += 1)
    await add(redis, keys.streams.operatorAudit, {
      action: "kill.on",
      target: "kill_switch",
      who: BY.who,
      reason: `${n}`,
    });
  const first = await pageAudit(access);
  expect(first.rows[0]).toMatchObject({ action: "kill.on", target: "kill_switch", reason: "50", detail: "" });
  expect(first.rows).toHaveLength(50);
  expect(await pageAudit(access, { cursor: first.next })).toMatchObject({
    rows: [{ reason: "0" }],
    next: undefined,
  });
});
