import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Amounts } from "./issue.ts";
import {
  keyspace,
  createGroups,
  deliverAll,
  grant,
  granted,
  HOUR_MS,
  issue,
  issuerOn,
  keys,
  OTHER_PLAN,
  pendingEntries,
  PLAN,
  publish,
  publishResult,
  redis,
  reservations,
  second,
  SYMBOL,
  total,
  useRedis,
} from "./issuer.fixture.ts";

useRedis();

const at = (attempt: string, entryId: string, planId = PLAN) => ({
  planId,
  symbol: SYMBOL,
  attempt,
  entryId,
  placed: true,
});
const executedNow = (amounts: Amounts) => ({ amounts, atMs: Date.now() });
const settle = (attempt: string, entryId: string, executed?: { amounts: Amounts; atMs: number }) =>
  issuerOn(redis).settle({ ...at(attempt, entryId), placed: executed !== undefined }, executed);
const executions = () => redis.zrange(reservations.executions, 0, -1);

describe("settle", () => {
  it("releases what was reserved when no order came of it", async () => {
    const attempt = await grant();
    expect(await settle(attempt, await publishResult())).toBe(true);
    expect(await total("reserved:qty")).toBe(0);
    expect(await total("charged:qty")).toBe(0);
    expect(await redis.exists(reservations.open, reservations.expiry, reservations.executions)).toBe(0);
    expect(await pendingEntries(keys.streams.result)).toBe(0);
  });

  it("charges what was executed, not what was reserved", async () => {
    const attempt = await grant(PLAN, { qty: 5n, notional: 50n });
    const entryId = await publishResult();
    expect(await settle(attempt, entryId, executedNow({ qty: 3n, notional: 31n }))).toBe(true);
    expect(await redis.hgetall(reservations.totals)).toMatchObject({
      "reserved:qty": "0",
      "reserved:notional": "0",
      "charged:qty": "3",
      "charged:notional": "31",
    });
    expect(await executions()).toEqual([`result:${entryId}`]);
  });

  it("charges as reserved what the result does not tell", async () => {
    const attempt = await grant(PLAN, { qty: 5n, notional: 50n });
    await settle(attempt, await publishResult(), executedNow({ qty: 3n }));
    expect(await total("charged:qty")).toBe(3);
    expect(await total("charged:notional")).toBe(50);
  });

  it("settles a plan without a record by its id, as a Python result names no attempt", async () => {
    await grant(PLAN, { qty: 5n }, { record: false });
    await settle("", await publishResult(), executedNow({ qty: 4n }));
    expect(await total("reserved:qty")).toBe(0);
    expect(await total("charged:qty")).toBe(4);
    expect(await redis.zcard(reservations.executions)).toBe(1);
  });

  it("charges the result of a plan it never saw", async () => {
    const entryId = await publishResult();
    expect(await settle("", entryId, executedNow({ qty: 4n }))).toBe(true);
    expect(await total("charged:qty")).toBe(4);
    expect(await executions()).toEqual([`result:${entryId}`]);
  });

  it("releases and charges exactly beyond what a double holds", async () => {
    const huge = 10n ** 30n + 7n;
    await grant(OTHER_PLAN, { qty: 1n });
    await settle(await grant(PLAN, { qty: huge }), await publishResult(), executedNow({ qty: huge - 5n }));
    expect(await redis.hmget(reservations.totals, "reserved:qty", "charged:qty")).toEqual([
      "1",
      String(huge - 5n),
    ]);
  });

  it("makes no room of a total that was lost", async () => {
    const attempt = await grant(PLAN, { qty: 5n });
    await redis.del(reservations.totals);
    await settle(attempt, await publishResult());
    expect(await total("reserved:qty")).toBe(0);
  });

  it.each([
    ["may have filled", true, "conflict"],
    ["was not placed", false, "granted"],
  ])(
    "leaves a decision from before the end of a reservation whose order %s: %s → %s",
    async (_, placed, kind) => {
      const ended = await grant(OTHER_PLAN, { qty: 3n });
      const asOf = (await redis.hget(reservations.totals, "releases")) ?? "0";
      await issuerOn(redis).settle({ ...at(ended, await publishResult(), OTHER_PLAN), placed }, undefined);
      const limit = { kind: "open", amount: "qty", max: 7n, as_of: asOf } as const;
      expect(await issue(granted({ qty: 7n }, [limit]), await publish())).toMatchObject({ kind });
    },
  );

  it("releases what no limit counts, and leaves what is counted", async () => {
    const counted = await grant(OTHER_PLAN, { qty: 7n });
    const attempt = await publish();
    await issue(granted({ qty: 5n }, []), attempt);
    expect(await executions()).toEqual([counted]);
    expect(await settle(attempt, await publishResult())).toBe(true);
    expect(await total("reserved:qty")).toBe(7);
    expect(await redis.hkeys(reservations.open)).toEqual([counted]);
    expect(await redis.zrange(reservations.expiry, 0, -1)).toEqual([counted]);
    expect(await executions()).toEqual([counted]);
  });

  it("releases nothing of others", async () => {
    await grant(OTHER_PLAN, { qty: 7n });
    await settle("1-1", await publishResult());
    expect(await total("reserved:qty")).toBe(7);
    expect(await redis.zcard(reservations.executions)).toBe(1);
  });

  it("keeps the executions of the last hour and of the day, no older ones", async () => {
    await redis.zadd(reservations.executions, Date.now() - 24 * HOUR_MS, "old", Date.now() - 1000, "recent");
    const entryId = await publishResult();
    await settle(await grant(), entryId, executedNow({ qty: 5n }));
    expect(await executions()).toEqual(["recent", `result:${entryId}`]);
  });

  it.each([
    ["a reservation that is not JSON", () => redis.hset(reservations.open, "1-1", "{")],
    ["a sum that is no number", () => redis.hset(reservations.totals, "reserved:qty", "much")],
  ])("leaves the result pending where it finds %s", async (_, damage) => {
    const attempt = await grant(PLAN, { qty: 5n });
    await damage();
    const reservation = (await redis.hexists(reservations.open, "1-1")) === 1 ? "1-1" : attempt;
    await expect(settle(reservation, await publishResult(), executedNow({ qty: 5n }))).rejects.toThrow(
      "settle_reservation.lua",
    );
    expect(await pendingEntries(keys.streams.result)).toBe(1);
  });

  it("charges a result that comes after its reservation ran out", async () => {
    const attempt = await grant(PLAN, { qty: 5n });
    await redis.zadd(reservations.expiry, Date.now() - 1, attempt);
    await grant(OTHER_PLAN, { qty: 1n });
    expect(await redis.hexists(reservations.open, attempt)).toBe(0);
    await settle(attempt, await publishResult(), executedNow({ qty: 5n }));
    expect(await total("charged:qty")).toBe(5);
    expect(await total("reserved:qty")).toBe(1);
  });

  it("changes nothing when run again, even after SCRIPT FLUSH", async () => {
    const attempt = await grant();
    const entryId = await publishResult();
    const executed = executedNow({ qty: 5n });
    await settle(attempt, entryId, executed);
    const before = await keyspace();
    await redis.script("FLUSH");
    expect(await settle(attempt, entryId, executed)).toBe(false);
    expect(await settle(attempt, entryId)).toBe(false);
    expect(await keyspace()).toEqual(before);
  });

  it("settles once though two governors settle at the same time", async () => {
    const attempt = await grant();
    const entryId = await publishResult();
    const executed = executedNow({ qty: 5n });
    const settled = await Promise.all([
      issuerOn(redis).settle(at(attempt, entryId), executed),
      issuerOn(second).settle(at(attempt, entryId), executed),
    ]);
    expect(settled.filter(Boolean)).toHaveLength(1);
    expect(await total("charged:qty")).toBe(5);
  });

  it("charges nothing twice when the group is lost and its stream is read again", async () => {
    const attempt = await grant();
    const entryId = await publishResult();
    await settle(attempt, entryId, executedNow({ qty: 5n }));
    await redis.xgroup("DESTROY", keys.streams.plan, "governor");
    await redis.xgroup("DESTROY", keys.streams.result, "governor");
    await createGroups();
    await deliverAll(keys.streams.result);
    expect(await settle(attempt, entryId, executedNow({ qty: 5n }))).toBe(false);
    expect(await total("charged:qty")).toBe(5);
    expect(await pendingEntries(keys.streams.result)).toBe(0);
  });

  it("charges nothing to today for an execution of days ago", async () => {
    const longAgo = Date.now() - 48 * HOUR_MS;
    expect(await settle("", await publishResult(), { amounts: { qty: 4n }, atMs: longAgo })).toBe(true);
    expect(await total("charged:qty")).toBe(0);
    expect(await redis.exists(reservations.executions)).toBe(0);
    expect(await pendingEntries(keys.streams.result)).toBe(0);
  });

  it("counts an execution that a fast clock has dated ahead from now on", async () => {
    await settle("", await publishResult(), { amounts: { qty: 4n }, atMs: Date.now() + HOUR_MS });
    const [, score] = await redis.zrange(reservations.executions, 0, 0, "WITHSCORES");
    expect(Number(score)).toBeLessThanOrEqual(Date.now());
  });

  it("resets the day's sums on the first charge of a day", async () => {
    await redis.hset(reservations.totals, {
      day: "1",
      "charged:qty": "9",
      "charged:notional": "9",
      "reserved:qty": "2",
    });
    await settle("", await publishResult(), executedNow({ qty: 4n }));
    expect(await redis.hgetall(reservations.totals)).toEqual({
      day: String(Math.floor(Date.now() / (24 * HOUR_MS))),
      "charged:qty": "4",
      "reserved:qty": "2",
      seal: expect.any(String) as string,
    });
  });

  it.each([
    ...(["open", "expiry", "executions", "totals"] as const).map((name) => [name, "release"] as const),
    ...(["open", "expiry", "executions", "totals", "charges"] as const).map(
      (name) => [name, "charge"] as const,
    ),
  ])("acknowledges nothing when %s has another type, to %s", async (name, what) => {
    const attempt = await grant();
    const entryId = await publishResult();
    await redis.set(reservations[name], "text");
    const executed = what === "charge" ? executedNow({ qty: 4n }) : undefined;
    await expect(settle(attempt, entryId, executed)).rejects.toThrow("WRONGTYPE");
    expect(await pendingEntries(keys.streams.result)).toBe(1);
  });
});

describe("reservations", () => {
  const MAX_QTY = 40;
  const MAX_EXECUTIONS = 4;
  const limits = [
    { kind: "count", reason: "hourly_limit_exceeded", window_ms: HOUR_MS, max: MAX_EXECUTIONS },
    { kind: "day", reason: "daily_limit_exceeded", amount: "qty", max: BigInt(MAX_QTY) },
  ] as const;
  const step = fc.oneof(
    fc.record({ do: fc.constant("issue" as const), qty: fc.integer({ min: 1, max: 20 }) }),
    fc.record({ do: fc.constantFrom("execute", "release", "run out"), which: fc.nat() }),
  );

  it("never reserve and charge more than the limits, whatever the order of answers, results and expiry", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        await redis.flushall();
        await createGroups();
        const open: { attempt: string; qty: number }[] = [];
        const answers: string[] = [];
        const expected: string[] = [];
        let charged = 0;
        let executions = 0;
        for (const [index, action] of steps.entries()) {
          if (action.do === "issue") {
            const planId = index.toString(16).padStart(16, "0");
            const attempt = await publish(planId);
            answers.push((await issue(granted({ qty: BigInt(action.qty) }, limits), attempt, planId)).kind);
            const reserved = open.reduce((sum, { qty }) => sum + qty, 0);
            const fits =
              charged + reserved + action.qty <= MAX_QTY && executions + open.length < MAX_EXECUTIONS;
            expected.push(fits ? "granted" : "denied");
            if (fits) open.push({ attempt, qty: action.qty });
            continue;
          }
          const [ended] = open.splice(action.which % Math.max(1, open.length), 1);
          if (ended === undefined) continue;
          if (action.do === "run out") await redis.zadd(reservations.expiry, Date.now() - 1, ended.attempt);
          if (action.do === "release") await settle(ended.attempt, await publishResult());
          if (action.do === "execute") {
            await settle(ended.attempt, await publishResult(), executedNow({ qty: BigInt(ended.qty) }));
            charged += ended.qty;
            executions += 1;
          }
        }
        expect(answers).toEqual(expected);
        expect(await total("charged:qty")).toBe(charged);
      }),
      { numRuns: 60 },
    );
  });
});
