/**
 * Every sum and count of an issuer's limits, lost or changed by another program: it fails closed at once and is
 * rebuilt.
 */
import { beforeEach, describe, expect, it } from "vitest";
import { keepBooks } from "./bookkeeping.ts";
import {
  keyspace,
  grant,
  granted,
  HOUR_MS,
  issue,
  issuerOn,
  keys,
  OTHER_PLAN,
  PLAN,
  publish,
  publishResult,
  redis,
  RESERVE_TTL_MS,
  reservations,
  SYMBOL,
  useRedis,
} from "./issuer.fixture.ts";

useRedis();

const { totals, executions, charges, open } = reservations;
const THIRD_PLAN = "0123456789abcdef";
const DAY_LIMIT = 10n;
const LIMITS = [
  { kind: "count", reason: "hourly", window_ms: HOUR_MS, max: 2 },
  { kind: "day", reason: "daily", amount: "qty", max: DAY_LIMIT },
] as const;

async function keep(): Promise<string[]> {
  const corrections: string[] = [];
  await keepBooks({
    redis,
    keys,
    issuer: "governor",
    reserveTtlMs: RESERVE_TTL_MS,
    charges: true,
    symbols: [SYMBOL],
    onCorrection: ({ what }) => void corrections.push(what),
  });
  return corrections;
}

async function execute(planId: string, qty: bigint): Promise<void> {
  const attempt = await grant(planId, { qty });
  const entryId = await publishResult(planId);
  const executed = { amounts: { qty }, atMs: Date.now() };
  await issuerOn(redis).settle({ planId, symbol: SYMBOL, attempt, entryId, placed: true }, executed);
}

/** Everything except the number of releases and so the seal, because a decision based on the old sums is repeated. */
async function book() {
  const { releases: _, seal: __, ...sums } = await redis.hgetall(totals);
  const scores = await redis.zrange(executions, 0, -1, "WITHSCORES");
  return { sums, scores, charges: await redis.hgetall(charges), open: await redis.hgetall(open) };
}

const UNREADABLE = ["much", "1.5", "", "-6"];
const damages: [what: string, damage: () => Promise<unknown>][] = [
  ["totals deleted", () => redis.del(totals)],
  ["totals of the wrong type", () => redis.multi().del(totals).lpush(totals, "vandal").exec()],
  ["the seal deleted", () => redis.hdel(totals, "seal")],
  ["the seal made text", () => redis.hset(totals, "seal", "much")],
  ["the seal made a number", () => redis.hset(totals, "seal", "1")],
  ["the seal made one of no sums", () => redis.hset(totals, "seal", "{}")],
  ["two sums exchanged", () => redis.hset(totals, { "charged:qty": "4", "reserved:qty": "6" })],
  ["the day deleted", () => redis.hdel(totals, "day")],
  ["the day made yesterday", () => redis.hincrby(totals, "day", -1)],
  ["the day made text", () => redis.hset(totals, "day", "today")],
  ...["charged:qty", "reserved:qty"].flatMap((field): [string, () => Promise<unknown>][] => [
    [`${field} deleted`, () => redis.hdel(totals, field)],
    [`${field} made smaller`, () => redis.hset(totals, field, "1")],
    [`${field} made larger`, () => redis.hset(totals, field, String(10n ** 30n))],
    ...UNREADABLE.map((text): [string, () => Promise<unknown>] => [
      `${field} made "${text}"`,
      () => redis.hset(totals, field, text),
    ]),
  ]),
  ...[...UNREADABLE, "9".repeat(40)].map((text): [string, () => Promise<unknown>] => [
    `the number of releases made "${text}"`,
    () => redis.hset(totals, "releases", text),
  ]),
  ["executions deleted", () => redis.del(executions)],
  ["executions of the wrong type", () => redis.multi().del(executions).lpush(executions, "vandal").exec()],
  ["one execution removed", () => redis.zremrangebyrank(executions, 0, 0)],
];

describe("limits that are used up", () => {
  beforeEach(async () => {
    await execute(PLAN, 6n);
    await grant(OTHER_PLAN, { qty: 4n });
  });

  it.each(damages)("stay so with %s, and everything is as it was after one turn", async (what, damage) => {
    const before = await book();
    await damage();
    const attempt = await publish(THIRD_PLAN);
    const asked = await issue(granted({ qty: 1n }, LIMITS), attempt, THIRD_PLAN).then(
      ({ kind }) => kind,
      (error: unknown) => String(error).match(/WRONGTYPE/)?.[0],
    );
    // The wrong type makes the script fail, and the plan's entry stays pending until the sums are rebuilt.
    expect(asked).toBe(what.endsWith("wrong type") ? "WRONGTYPE" : "denied");
    expect(await redis.exists(keys.permit("governor", THIRD_PLAN))).toBe(0);

    await keep();
    const { scores, ...rest } = await book();
    expect(rest).toEqual({ sums: before.sums, charges: before.charges, open: before.open });
    expect(scores.filter((_score, at) => at % 2 === 0).toSorted()).toEqual(
      before.scores.filter((_score, at) => at % 2 === 0).toSorted(),
    );
    const healed = await keyspace();
    expect(await keep()).toEqual([]);
    expect(await keyspace()).toEqual(healed);
  });

  // P3.3 decides with a reserved quantity that it read earlier.
  it.each(damages.filter(([what]) => /^(totals deleted|the seal|reserved)/.test(what)))(
    "reserve no quantity twice with %s: the caller decides again",
    async (_, damage) => {
      const releases = (await redis.hget(totals, "releases")) ?? "0";
      await damage();
      const attempt = await publish(THIRD_PLAN);
      const limit = { kind: "open", amount: "qty", max: 10n, as_of: releases } as const;
      expect(await issue(granted({ qty: 7n }, [limit]), attempt, THIRD_PLAN)).toMatchObject({
        kind: "conflict",
        reserved: 4n,
      });
      expect(await redis.exists(keys.permit("governor", THIRD_PLAN))).toBe(0);
    },
  );

  it.each([
    ["deleted", () => redis.del(charges)],
    ["of the wrong type", () => redis.multi().del(charges).lpush(charges, "vandal").exec()],
    [
      "unreadable",
      async () =>
        redis.hset(charges, (await redis.hkeys(charges))[0] ?? "", "1769301008977 [[") as Promise<unknown>,
    ],
  ])("stand by their seal where the charges are %s", async (_, damage) => {
    const { sums, scores } = await book();
    await damage();
    await keep();
    expect(await book()).toMatchObject({ sums, scores });
    expect(await keep()).toEqual([]);
  });

  it("start from 0 where the sums and the charges are lost: nothing else records them", async () => {
    await redis.del(totals, charges);
    await keep();
    expect(await redis.hgetall(totals)).toMatchObject({ "reserved:qty": "4" });
    expect(await redis.hexists(totals, "charged:qty")).toBe(0);
    // The number of executions is still known.
    expect(await redis.zcard(executions)).toBe(2);
  });
});

it("sums are right in whatever order Redis keeps their fields", async () => {
  await execute(PLAN, 6n);
  await grant(OTHER_PLAN, { qty: 4n });
  const fields = Object.entries(await redis.hgetall(totals)).toReversed();
  await redis.del(totals);
  await redis.hset(totals, Object.fromEntries(fields));
  const written = await redis.hgetall(totals);
  expect(await keep()).toEqual([]);
  expect(await redis.hgetall(totals)).toEqual(written);
});

describe("sums of a version that kept no charges", () => {
  it("stay as they are, and with what is charged from now on", async () => {
    await execute(PLAN, 6n);
    await redis.del(charges);
    await redis.hdel(totals, "seal");
    await grant(OTHER_PLAN, { qty: 4n });
    await keep();
    expect(await redis.hgetall(totals)).toMatchObject({ "charged:qty": "6", "reserved:qty": "4" });
  });
});

it("charges are kept as long as they count", async () => {
  await redis.hset(charges, "result:1-0", `${Date.now() - 48 * HOUR_MS} {"qty":"7"}`);
  await redis.zadd(executions, Date.now() - 48 * HOUR_MS, "result:1-0");
  await execute(PLAN, 6n);
  expect(await redis.hlen(charges)).toBe(1);
  expect(await redis.zcard(executions)).toBe(1);
  await keep();
  expect(await redis.hget(totals, "charged:qty")).toBe("6");
});
