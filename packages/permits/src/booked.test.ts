/**
 * What an issuer keeps about plans that have ended: a result may come before its answer, and a plan id may come again.
 */
import { describe, expect, it } from "vitest";
import {
  keyspace,
  createGroups,
  deliverAll,
  denied,
  grant,
  granted,
  issue,
  issuerOn,
  keys,
  OTHER_PLAN,
  pendingEntries,
  PERMIT_TTL_SEC,
  PLAN,
  publish,
  publishResult,
  redis,
  reservations,
  SYMBOL,
  useRedis,
} from "./issuer.fixture.ts";

useRedis();

const BOOKED = keys.booked("governor", PLAN);
const WEEK_SEC = 7 * 24 * 3600;
/** The attempt is empty if the Python apply-layer wrote the result. */
const settle = (entryId: string, { attempt = "", placed = false } = {}) =>
  issuerOn(redis).settle(
    { planId: PLAN, symbol: SYMBOL, attempt, entryId, placed },
    placed ? { amounts: { qty: 5n }, atMs: Date.now() } : undefined,
  );
const withoutRecord = (id = "*") => publish(PLAN, { record: false, id });
const permits = () => redis.exists(keys.permit("governor", PLAN));

describe("a result that comes before the answer", () => {
  it("leaves nothing to answer: no permit, no reservation", async () => {
    const attempt = await withoutRecord();
    await settle(await publishResult());
    expect(await redis.get(BOOKED)).toMatch(/^ended \d{13}$/);
    expect(await redis.ttl(BOOKED)).toBeCloseTo(PERMIT_TTL_SEC, -1);
    expect(await issue(granted(), attempt)).toEqual({ kind: "ended" });
    expect(await permits()).toBe(0);
    expect(await redis.exists(...Object.values(reservations), keys.streams.permit)).toBe(0);
    expect(await pendingEntries(keys.streams.plan)).toBe(0);
  });

  it("is that of its own attempt: one that is published later is answered", async () => {
    await withoutRecord();
    const result = await publishResult();
    await settle(result);
    const later = await withoutRecord(`${Number(result.split("-")[0]) + 1}-0`);
    expect(await issue(granted(), later)).toEqual({ kind: "granted" });
  });

  it("is not needed of a plan with a record, which says by itself that it has ended", async () => {
    const attempt = await grant();
    await settle(await publishResult(), { attempt });
    expect(await redis.exists(BOOKED)).toBe(0);
  });

  it("says nothing of other plans", async () => {
    await settle(await publishResult());
    expect(await issue(granted(), await publish(OTHER_PLAN, { record: false }), OTHER_PLAN)).toEqual({
      kind: "granted",
    });
  });
});

describe("a plan whose order is booked", () => {
  it.each([true, false])("gets no permit in any attempt, with a record: %s", async (record) => {
    const first = await grant(PLAN, undefined, { record });
    await settle(await publishResult(), { attempt: record ? first : "", placed: true });
    expect(await redis.get(BOOKED)).toMatch(/^executed \d{13}$/);
    expect(await redis.ttl(BOOKED)).toBeCloseTo(WEEK_SEC, -1);
    await redis.del(keys.permit("governor", PLAN));

    // After the operators' reset the plan comes again.
    const ahead = `${Date.now() + 1_000}-0`;
    const again = await publish(PLAN, { record, id: ahead });
    expect(await issue(granted(), again)).toEqual({ kind: "denied", reason: "already_executed" });
    expect(await permits()).toBe(0);
    expect(await redis.hlen(reservations.open)).toBe(0);
    expect(await pendingEntries(keys.streams.plan)).toBe(0);
    // Repeating it changes nothing.
    const before = await keyspace();
    expect(await issue(granted(), again)).toEqual({ kind: "replayed" });
    expect(await keyspace()).toEqual(before);
  });

  it("is taken for one while the result of an earlier attempt is not settled: the issuer may be behind", async () => {
    await grant(PLAN, undefined, { record: false });
    await redis.del(keys.permit("governor", PLAN));
    const again = await withoutRecord(`${Date.now() + 1_000}-0`);
    expect(await issue(granted(), again)).toEqual({ kind: "denied", reason: "already_executed" });
    expect(await redis.hkeys(reservations.open)).toEqual([PLAN]);
    // It ended without an order.
    await settle(await publishResult());
    await redis.del(keys.block("governor", PLAN));
    const third = await withoutRecord(`${Date.now() + 2_000}-0`);
    expect(await issue(granted(), third)).toEqual({ kind: "granted" });
  });

  it("stays booked when a later attempt ends without one", async () => {
    await settle(await publishResult(), { placed: true });
    await settle(await publishResult());
    expect(await redis.get(BOOKED)).toMatch(/^executed /);
  });

  it("is denied for the issuer's own reason, if it has one", async () => {
    await settle(await publishResult(), { placed: true });
    const again = await withoutRecord(`${Date.now() + 1_000}-0`);
    expect(await issue(denied, again)).toEqual({ kind: "denied", reason: "no_position" });
  });

  it("is refused by each issuer by its own book", async () => {
    await settle(await publishResult(), { placed: true });
    const again = await withoutRecord(`${Date.now() + 1_000}-0`);
    const p33 = issuerOn(redis, "p33");
    expect(await p33.issue({ planId: PLAN, symbol: SYMBOL, attempt: again }, granted())).toEqual({
      kind: "granted",
    });
  });

  it("is settled once, even after SCRIPT FLUSH and the loss of the group", async () => {
    const entryId = await publishResult();
    await settle(entryId, { placed: true });
    const before = await redis.get(BOOKED);
    await redis.script("FLUSH");
    expect(await settle(entryId, { placed: true })).toBe(false);
    for (const stream of [keys.streams.plan, keys.streams.result])
      await redis.xgroup("DESTROY", stream, "governor").catch(() => 0);
    await createGroups();
    await deliverAll(keys.streams.result);
    expect(await settle(entryId, { placed: true })).toBe(false);
    expect(await redis.get(BOOKED)).toBe(before);
  });

  it("fails before anything is written where the mark is of the wrong type", async () => {
    const attempt = await withoutRecord();
    await redis.hset(BOOKED, "a", "1");
    await expect(issue(granted(), attempt)).rejects.toThrow("WRONGTYPE");
    await expect(settle(await publishResult())).rejects.toThrow("WRONGTYPE");
    expect(await redis.exists(reservations.open, reservations.totals, keys.permit("governor", PLAN))).toBe(0);
    expect(await pendingEntries(keys.streams.plan)).toBe(1);
    expect(await pendingEntries(keys.streams.result)).toBe(1);
  });

  it("is booked although the mark was of the wrong type", async () => {
    await redis.hset(BOOKED, "a", "1");
    await settle(await publishResult(), { placed: true });
    expect(await redis.get(BOOKED)).toMatch(/^executed \d{13}$/);
  });
});
