import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PATIENCE, type Replica, startReplica, SYMBOL } from "./booker.fixture.ts";
import { keys, type Rig, startRig } from "./rig.fixture.ts";

let rig: Rig;
let replica: Replica;
let others: Replica[];

beforeEach(async () => {
  rig = await startRig();
  others = [];
  replica = await startReplica(rig);
  await replica.kept();
});
afterEach(async () => {
  await Promise.all([replica, ...others].map((each) => each.stop()));
  await rig.stop();
});

const amounts = async () => {
  const { snapshot, ledger } = await rig.pairs.read(SYMBOL);
  return [snapshot?.positionAmt, ledger?.amt].map((amount) => Number(amount));
};
const become = (amount: number) => expect.poll(amounts, PATIENCE).toEqual([amount, amount]);

describe("the account's events", () => {
  it("bring an order's fills into the pair, without a request", async () => {
    const before = await rig.requests();
    const { orderId } = await rig.order(SYMBOL, "SELL", "0.046");
    await become(0.016);
    const { ledger, snapshot } = await rig.pairs.read(SYMBOL);
    expect(ledger).toMatchObject({
      origin: "trades",
      anchor: { amt: "0.062" },
      booked: [{ orderId, qty: "0.046" }],
      lastExecution: { planId: "0123456789abcdef", orderId, side: "SELL", qty: "0.046" },
    });
    expect(snapshot?.openReduceQty).toBe("0");
    const { ["POST /fapi/v1/order"]: _, ...after } = await rig.requests();
    expect(after).toEqual(before);
  });

  it("show a result's fills, also to a replica that does not book", async () => {
    const other = await startReplica(rig, "brain-2");
    others.push(other);
    await expect.poll(() => other.stream.isUp, PATIENCE).toBe(true);
    expect(other.booker.isBooking).toBe(false);
    const { orderId } = await rig.order(SYMBOL, "SELL", "0.046");
    const execution = { planId: "0123456789abcdef", orderId, side: "SELL", qty: "0.046", atMs: Date.now() };
    await become(0.016);
    const shown = [replica, other].map(({ booked }) => booked.include(SYMBOL, execution));
    expect(await Promise.all(shown)).toEqual([true, true]);
    expect(await replica.booked.include(SYMBOL, { ...execution, qty: "0.047" })).toBe(false);
    expect(replica.reads()).toEqual(["result"]);
    expect(other.happened.booked).toEqual([]);
  });

  it("are booked right if they come twice, late and in another order", async () => {
    for (const kind of ["double", "reorder", "late"]) {
      await rig.streamFault({ kind, ms: 30, count: 4, symbol: SYMBOL });
      await Promise.all(["0.004", "0.006"].map((qty) => rig.order(SYMBOL, "SELL", qty)));
    }
    await become(0.032);
    expect(replica.happened.failed).toEqual([]);
  });

  it.each<[string, { event: string; count: number }]>([
    ["fill", { event: "ORDER_TRADE_UPDATE", count: 2 }],
    ["position", { event: "ACCOUNT_UPDATE", count: 1 }],
  ])("are not enough if a %s is lost: the exchange is asked", async (_, lost) => {
    await rig.streamFault({ kind: "drop", symbol: SYMBOL, ...lost });
    await rig.move(SYMBOL, "0.050");
    await become(0.05);
    expect(replica.reads()).toEqual(["unexplained"]);
    await rig.move(SYMBOL, "0.040");
    await become(0.04);
    expect(replica.reads()).toEqual(["unexplained"]);
  });

  it("tell who traded, once for each fill", async () => {
    await rig.streamFault({ kind: "double", ms: 5, count: 4, symbol: SYMBOL });
    await rig.move(SYMBOL, "0.100");
    await rig.order(SYMBOL, "SELL", "0.046");
    await become(0.054);
    expect(replica.happened.foreignFill).toHaveLength(1);
    expect(replica.happened.foreignFill[0]).toMatchObject({ origin: "other", event: { symbol: SYMBOL } });
  });

  it("of a position that moved without a trade are read by REST, as a mismatch", async () => {
    await rig.move(SYMBOL, "0.050", false);
    await expect.poll(() => replica.reads(), PATIENCE).toContain("unexplained");
    await expect.poll(amounts, PATIENCE).toEqual([0.05, 0.062]);
    expect((await rig.pairs.read(SYMBOL)).ledger?.disagreesSinceMs).toBeDefined();
  });

  it("after a disconnection are preceded by a reading of the account", async () => {
    await rig.streamFault({ kind: "disconnect", ms: 100 });
    await rig.order(SYMBOL, "SELL", "0.046");
    await become(0.016);
    await replica.kept();
    expect((await rig.pairs.read(SYMBOL)).ledger?.anchor).toBeUndefined();
    await rig.order(SYMBOL, "SELL", "0.006");
    await become(0.01);
  });
});

describe("a pair that nothing happens to", () => {
  it("is written forward with each sign of life, under its version, and decisions see it", async () => {
    const { version, snapshot } = await rig.pairs.read(SYMBOL);
    const before = await rig.requests();
    await rig.pairs.state(SYMBOL);
    const age = async () => (await rig.pairs.state(SYMBOL)).pair?.snapshot.tsEpochSec ?? 0;
    await expect.poll(age, PATIENCE).toBeGreaterThan(snapshot?.tsEpochSec ?? Infinity);
    expect((await rig.pairs.read(SYMBOL)).version).toBe(version);
    expect(await rig.requests()).toEqual(before);
  });

  it("is read again, not written forward, once another program has written to it", async () => {
    const overwritten: string[] = [];
    replica.refresh.on("overwritten", ({ symbol }) => overwritten.push(symbol));
    await rig.redis.hset(keys.snapshot(SYMBOL), "position_amt", "9", "ts_epoch", "1");
    await expect.poll(() => overwritten, PATIENCE).toEqual([SYMBOL]);
    await become(0.062);
  });

  it("goes on from what another replica has stored", async () => {
    const other = rig.refresher();
    expect(await other.symbol(SYMBOL)).toBe("stored");
    const { version } = await rig.pairs.read(SYMBOL);
    await rig.order(SYMBOL, "SELL", "0.046");
    await become(0.016);
    expect(Number((await rig.pairs.read(SYMBOL)).version)).toBeGreaterThan(Number(version));
  });
});

describe("the replica that books", () => {
  it("is one; another follows when it leaves, and misses nothing", async () => {
    const other = await startReplica(rig, "brain-2");
    others.push(other);
    expect([replica.booker.isBooking, other.booker.isBooking]).toEqual([true, false]);
    await replica.stop();
    await rig.order(SYMBOL, "SELL", "0.046");
    await other.kept();
    await become(0.016);
    await rig.order(SYMBOL, "SELL", "0.006");
    await become(0.01);
    expect(other.happened.booked.length).toBeGreaterThan(0);
  });

  it("books nothing more once another one has the lease", async () => {
    const [seconds] = await rig.redis.time();
    const nowMs = Number(seconds) * 1_000;
    await rig.redis.hset(keys.booker, { instance: "brain-2", since_ms: nowMs, seen_ms: nowMs });
    await expect.poll(() => replica.booker.isBooking, PATIENCE).toBe(false);
    const { version } = await rig.pairs.read(SYMBOL);
    await rig.order(SYMBOL, "SELL", "0.046");
    expect((await rig.pairs.read(SYMBOL)).version).toBe(version);
  });
});
