import { beforeEach, describe, expect, it, vi } from "vitest";
import { connectForCommands, disconnect } from "@quantum/redis";
import { useRedis } from "@quantum/harness/vitest";
import { createKeys } from "@quantum/contract";
import type { Pair } from "./pair.ts";
import { createPairStore } from "./pair-store.ts";
import { onePartition } from "./rig.fixture.ts";

const keys = createKeys();
const SYMBOL = "ETHUSDT";
const SNAPSHOT = keys.snapshot(SYMBOL);
const LEDGER = keys.ledger(SYMBOL);

const { redis, server } = await useRedis();

const pairs = createPairStore({ partitions: onePartition(redis), source: "test" });
/** Another process's. */
const others = createPairStore({ partitions: onePartition(redis), source: "test" });
beforeEach(() => redis.flushall());

const pair = (amt = "-1.850"): Pair => ({
  snapshot: {
    positionAmt: amt,
    entryPrice: "3402.15",
    markPrice: "3310.00",
    unrealizedPnl: "170.48",
    leverage: "10",
    openReduceQty: "0",
    updateTimeMs: 1_769_301_008_977,
    tsEpochSec: 1_769_301_009,
  },
  ledger: { amt, lastTradeId: "8389765519826112345", origin: "trades", lastExecution: undefined },
});

async function contents() {
  return { snapshot: await redis.dump(SNAPSHOT), ledger: await redis.dump(LEDGER) };
}

/** Usually epoch milliseconds. */
const VERSION = /^\d{13}$/;

describe("lua/ledger/store", () => {
  it("stores both halves under one version, with their lifetimes", async () => {
    expect(await pairs.store(SYMBOL, "", pair())).toMatch(VERSION);
    const first = await pairs.read(SYMBOL);
    expect(first).toEqual({ version: expect.stringMatching(VERSION), isForeign: false, ...pair() });
    expect(await redis.hget(SNAPSHOT, "version")).toBe(first.version);
    expect(await redis.hget(LEDGER, "last_trade_id")).toBe("8389765519826112345");
    expect(await redis.ttl(SNAPSHOT)).toBeCloseTo(3_600, -1);
    expect(await redis.ttl(LEDGER)).toBeCloseTo(86_400, -1);

    expect(await pairs.store(SYMBOL, first.version, pair("-1.800"))).toMatch(VERSION);
    const second = await pairs.read(SYMBOL);
    expect(second).toEqual({ version: second.version, isForeign: false, ...pair("-1.800") });
    expect(Number(second.version)).toBeGreaterThan(Number(first.version));
  });

  it("changes nothing on a conflict: another version, none where one was read, one where none was", async () => {
    expect(await pairs.store(SYMBOL, "1", pair())).toBeUndefined();
    expect(await redis.exists(SNAPSHOT, LEDGER)).toBe(0);
    await pairs.store(SYMBOL, "", pair());
    const before = await contents();
    expect(await pairs.store(SYMBOL, "", pair("0"))).toBeUndefined();
    expect(await pairs.store(SYMBOL, "2", pair("0"))).toBeUndefined();
    expect(await contents()).toEqual(before);
  });

  it("run twice, as a client does after a lost answer, stores once", async () => {
    await pairs.store(SYMBOL, "", pair());
    const before = await contents();
    expect(await pairs.store(SYMBOL, "", pair())).toBeUndefined();
    expect(await contents()).toEqual(before);
  });

  it("lets one of two callers through", async () => {
    const second = connectForCommands({ url: server.url, name: "second", onError: () => undefined });
    const ofSecond = createPairStore({ partitions: onePartition(second), source: "test" });
    const stored = await Promise.all([
      pairs.store(SYMBOL, "", pair("1.0")),
      ofSecond.store(SYMBOL, "", pair("2.0")),
    ]);
    await disconnect(second);
    expect(stored.filter(Boolean)).toHaveLength(1);
    const { version, snapshot, ledger } = await pairs.read(SYMBOL);
    expect(version).toMatch(VERSION);
    expect(snapshot?.positionAmt).toBe(stored[0] ? "1.0" : "2.0");
    expect(ledger?.amt).toBe(snapshot?.positionAmt);
  });

  it("works after SCRIPT FLUSH", async () => {
    await pairs.store(SYMBOL, "", pair());
    await redis.script("FLUSH");
    expect(await pairs.store(SYMBOL, (await pairs.read(SYMBOL)).version, pair())).toMatch(VERSION);
  });

  it("refuses a ledger of the wrong type before it writes, and replaces a snapshot of one", async () => {
    await redis.set(LEDGER, "0.011");
    await expect(pairs.store(SYMBOL, "", pair())).rejects.toThrow("WRONGTYPE");
    expect(await redis.exists(SNAPSHOT)).toBe(0);
    expect(await redis.get(LEDGER)).toBe("0.011");

    await redis.del(LEDGER);
    await redis.set(SNAPSHOT, "0.011");
    expect(await pairs.store(SYMBOL, "", pair())).toMatch(VERSION);
    expect((await pairs.read(SYMBOL)).snapshot).toEqual(pair().snapshot);
  });

  it("leaves no field of an older snapshot, and keeps foreign fields of a ledger", async () => {
    await redis.hset(SNAPSHOT, "left_over", "1");
    await redis.hset(LEDGER, "last_known_amt", "0.011", "note", "an operator's");
    expect(await pairs.store(SYMBOL, "", pair())).toMatch(VERSION);
    expect(await redis.hget(SNAPSHOT, "left_over")).toBeNull();
    expect(await redis.hget(LEDGER, "note")).toBe("an operator's");
    expect(await redis.hget(LEDGER, "last_known_amt")).toBe("-1.850");
  });
});

describe("lua/ledger/keep", () => {
  const SEC = pair().snapshot.tsEpochSec;
  const events = {
    anchor: { amt: "-1.9", tradeId: "7" },
    booked: [{ orderId: "8389765519826112399", qty: "0.05" }],
  };

  it("writes the pair's time forward under its version, and nothing else", async () => {
    const booked = { ...pair(), ledger: { ...pair().ledger, ...events } };
    const version = (await pairs.store(SYMBOL, "", booked)) ?? "";
    const expected = { ...booked, snapshot: { ...booked.snapshot, tsEpochSec: SEC + 3 } };
    expect(await pairs.keep(SYMBOL, version, booked, SEC + 3)).toEqual(expected);
    expect(await pairs.read(SYMBOL)).toEqual({ version, isForeign: false, ...expected });
    expect(await redis.ttl(SNAPSHOT)).toBeCloseTo(3_600, -1);
    // Twice, as after a lost answer: it has that time already.
    const before = await contents();
    expect(await pairs.keep(SYMBOL, version, booked, SEC + 3)).toBeUndefined();
    expect(await contents()).toEqual(before);
  });

  it.each<[string, () => Promise<unknown>]>([
    ["is gone", () => redis.del(SNAPSHOT, LEDGER)],
    ["has lost its snapshot", () => redis.del(SNAPSHOT)],
    ["has another version", () => redis.hset(LEDGER, "version", "1")],
    [
      "was written to by another program",
      () => redis.hset(SNAPSHOT, "position_amt", "9", "ts_epoch", SEC + 1),
    ],
    ["has a ledger that was", () => redis.hset(LEDGER, "last_known_amt", "9", "updated_at", SEC + 1)],
    ["has become another type", () => redis.multi().del(SNAPSHOT).set(SNAPSHOT, "x").exec()],
  ])("changes nothing of a pair that %s", async (_, damage) => {
    const version = (await pairs.store(SYMBOL, "", pair())) ?? "";
    await damage();
    const before = await contents();
    for (const _again of [1, 2]) expect(await pairs.keep(SYMBOL, version, pair(), SEC + 3)).toBeUndefined();
    expect(await contents()).toEqual(before);
  });

  it("shows decisions the new time, though the version is the same", async () => {
    const version = (await pairs.store(SYMBOL, "", pair())) ?? "";
    await pairs.state(SYMBOL);
    await pairs.keep(SYMBOL, version, pair(), SEC + 3);
    expect((await pairs.state(SYMBOL)).pair?.snapshot.tsEpochSec).toBe(SEC + 3);
  });
});

describe("a ledger with fills from events", () => {
  it("comes back as it was stored", async () => {
    const ledger = {
      ...pair().ledger,
      anchor: { amt: "-2", tradeId: "8389765519826112000" },
      booked: [
        { orderId: "8389765519826112345", qty: "0.15" },
        { orderId: "8389765519826112346", qty: "1" },
      ],
    };
    await pairs.store(SYMBOL, "", { ...pair(), ledger });
    expect((await pairs.read(SYMBOL)).ledger).toEqual(ledger);
    await redis.hset(LEDGER, "anchor_amt", "0");
    expect((await pairs.read(SYMBOL)).ledger).toBeUndefined();
  });

  it("of a release that did not know them is read as before", async () => {
    await pairs.store(SYMBOL, "", pair());
    await redis.hdel(LEDGER, "anchor_amt", "anchor_trade_id", "booked_orders");
    expect((await pairs.read(SYMBOL)).ledger).toEqual(pair().ledger);
  });
});

describe("the state that a decision is made from", () => {
  it("has both halves or none, reservations, their ends and doubts", async () => {
    expect(await pairs.state(SYMBOL)).toEqual({
      nowMs: expect.any(Number),
      pair: undefined,
      unknownOrders: 0,
      reservedUnits: 0n,
      releases: "0",
    });
    await pairs.store(SYMBOL, "", pair());
    await redis.sadd(keys.unknown(SYMBOL), "0123456789abcdef");
    const { totals } = keys.reservations("p33", SYMBOL);
    await redis.hset(totals, "reserved:qty", "185000000", "releases", "3");
    expect(await pairs.state(SYMBOL)).toEqual({
      nowMs: expect.any(Number),
      pair: pair(),
      unknownOrders: 1,
      reservedUnits: 185_000_000n,
      releases: "3",
    });
    await redis.del(LEDGER);
    expect((await pairs.state(SYMBOL)).pair).toBeUndefined();
  });

  it("reads a pair once, and again when a half has changed, is gone, or came back after a loss", async () => {
    const hashReads = async () =>
      Number(/cmdstat_hgetall:calls=(\d+)/.exec(await redis.info("commandstats"))?.[1] ?? 0);
    const amount = async () => (await pairs.state(SYMBOL)).pair?.ledger.amt;
    await others.store(SYMBOL, "", pair());
    expect(await amount()).toBe("-1.850");
    await redis.config("RESETSTAT");
    expect(await amount()).toBe("-1.850");
    expect(await hashReads()).toBe(0);

    const { version } = await pairs.read(SYMBOL);
    await others.store(SYMBOL, version, pair("-1.800"));
    expect(await amount()).toBe("-1.800");
    await redis.del(SNAPSHOT);
    expect(await amount()).toBeUndefined();
    // No version is used twice, however many stores there were in the meantime.
    await redis.flushall();
    await others.store(SYMBOL, "", pair("-1.700"));
    await others.store(SYMBOL, (await pairs.read(SYMBOL)).version, pair("-1.600"));
    expect(await amount()).toBe("-1.600");
  });

  it("does not read back what it has stored, until another process changes it", async () => {
    const version = (await pairs.store(SYMBOL, "", pair())) ?? "";
    await redis.config("RESETSTAT");
    expect((await pairs.state(SYMBOL)).pair).toEqual(pair());
    expect(await redis.info("commandstats")).not.toContain("cmdstat_hgetall");
    await others.keep(SYMBOL, version, pair(), pair().snapshot.tsEpochSec + 3);
    expect((await pairs.state(SYMBOL)).pair?.snapshot.tsEpochSec).toBe(pair().snapshot.tsEpochSec + 3);
    await redis.hset(SNAPSHOT, "fingerprint", "another's");
    expect((await pairs.state(SYMBOL)).pair).toBeUndefined();
  });

  it("reads a pair again that was stored after Redis had lost the one that is known", async () => {
    await pairs.store(SYMBOL, "", pair("-1.850"));
    const before = await pairs.read(SYMBOL);
    const [snapshot, ledger] = [await redis.dumpBuffer(SNAPSHOT), await redis.dumpBuffer(LEDGER)];
    await pairs.store(SYMBOL, before.version, pair("-1.800"));
    expect((await pairs.state(SYMBOL)).pair?.ledger.amt).toBe("-1.800");
    const lost = Number((await pairs.read(SYMBOL)).version);
    // A real Redis would not come back within the same millisecond.
    await vi.waitFor(async () => {
      const [seconds = 0, micros = 0] = (await redis.time()).map(Number);
      expect(seconds * 1000 + Math.floor(micros / 1000)).toBeGreaterThan(lost);
    });
    await redis.restore(SNAPSHOT, 0, snapshot, "REPLACE");
    await redis.restore(LEDGER, 0, ledger, "REPLACE");
    await others.store(SYMBOL, before.version, pair("-0.900"));
    expect((await pairs.state(SYMBOL)).pair?.ledger.amt).toBe("-0.900");
  });

  it("of the wrong type is an error for decisions, and is rebuilt by the next refresh", async () => {
    await redis.set(SNAPSHOT, "0.011");
    await redis.set(LEDGER, "0.011");
    await expect(pairs.state(SYMBOL)).rejects.toThrow("WRONGTYPE");
    expect(await pairs.read(SYMBOL)).toMatchObject({ version: "", snapshot: undefined, ledger: undefined });
    expect(await pairs.store(SYMBOL, "", pair("-1.850"))).toMatch(VERSION);
    expect((await pairs.state(SYMBOL)).pair?.ledger.amt).toBe("-1.850");
  });

  it("is an error where Redis cannot read it, never an absence", async () => {
    await redis.set(SNAPSHOT, "0.011");
    await expect(pairs.state(SYMBOL)).rejects.toThrow("WRONGTYPE");
    await redis.del(SNAPSHOT);
    await redis.set(keys.unknown(SYMBOL), "x");
    await expect(pairs.state(SYMBOL)).rejects.toThrow("WRONGTYPE");
  });
});
