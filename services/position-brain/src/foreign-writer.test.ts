/** With the Python P3.3: what it writes into our snapshots and ledgers, and how we treat it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createPairStore } from "./pair-store.ts";
import { keys, onePartition, type Rig, startRig } from "./rig.fixture.ts";
import type { PairRefresh } from "./refresh.ts";

const SYMBOL = "BTCUSDT";
let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

/** Its snapshot of a position: seven fields of the wire; the others stay. */
const pythonSnapshot = (positionAmt: string) =>
  rig.redis.hset(keys.snapshot(SYMBOL), {
    position_amt: positionAmt,
    side: "LONG",
    entry_price: "100000.0",
    mark_price: "100000.0",
    unrealized_pnl: "0.0",
    leverage: "10",
    ts_epoch: String(Math.floor(Date.now() / 1000)),
    source: "binance_testnet",
  });
/** Its ledger after a result: it applies the newest result at every poll, so the amount goes to 0. */
const pythonLedger = (amount: string, orderId: string) =>
  rig.redis.hset(keys.ledger(SYMBOL), {
    last_order_id: orderId,
    last_result_plan_id: "67e6da21fa9fe506",
    last_executed_qty: "0.02",
    last_side: "SELL",
    updated_at: String(Math.floor(Date.now() / 1000)),
    last_known_amt: amount,
  });

const pair = () => rig.pairs.read(SYMBOL);
function overwritten(refresh: PairRefresh): string[] {
  const symbols: string[] = [];
  refresh.on("overwritten", ({ symbol }) => symbols.push(symbol));
  return symbols;
}

describe("back to Python's P3.3 and forward again", () => {
  it("resets the ledger to the exchange's position, and adds no trade twice", async () => {
    await rig.refresher().all();
    const { orderId } = await rig.order(SYMBOL, "SELL", "0.020");
    await pythonSnapshot("0.042");
    for (const amount of ["0.042", "0.022", "0.0"]) await pythonLedger(amount, orderId);
    // The mix that we must not read as ours: Python's amount with our trade id and version.
    expect(await rig.redis.hgetall(keys.ledger(SYMBOL))).toMatchObject({
      last_known_amt: "0.0",
      last_trade_id: expect.stringMatching(/^\d+$/),
      version: expect.stringMatching(/^\d+$/),
    });
    expect(await pair()).toMatchObject({ snapshot: undefined, ledger: undefined, isForeign: true });

    const refresh = rig.refresher();
    const alarms = overwritten(refresh);
    await refresh.all();
    expect(await pair()).toMatchObject({
      snapshot: { positionAmt: "0.042" },
      ledger: { amt: "0.042", origin: "bootstrap" },
      isForeign: false,
    });
    await rig.move(SYMBOL, "0.030");
    await refresh.all();
    expect(await pair()).toMatchObject({ ledger: { amt: "0.03", origin: "trades" } });
    // Taking over is not a second writer.
    expect(alarms).toEqual([]);
    expect(refresh.problems()).toEqual([]);
  });

  it("decides nothing from a pair that Python has changed, however few of its fields", async () => {
    await rig.refresher().all();
    const before = await rig.pairs.state(SYMBOL);
    expect(before.pair).toBeDefined();
    await pythonSnapshot("0.062");
    // A process that has just started and cannot reach the exchange.
    const fresh = createPairStore({ partitions: onePartition(rig.redis), source: "exchange-sim" });
    expect((await fresh.state(SYMBOL)).pair).toBeUndefined();
  });

  it("keeps a ledger that Python has not touched, and adds the trades in between to it", async () => {
    await rig.refresher().all();
    await pythonSnapshot("0.050");
    await rig.move(SYMBOL, "0.050");
    await rig.refresher().all();
    expect(await pair()).toMatchObject({ ledger: { amt: "0.05", origin: "trades" } });
  });
});

describe("a Python P3.3 that still runs", () => {
  it("is told of, and its amounts never become ours", async () => {
    const refresh = rig.refresher([SYMBOL]);
    const alarms = overwritten(refresh);
    await refresh.all();
    expect(refresh.problems()).toEqual([]);
    for (const amount of ["0.01", "0.0"]) {
      await pythonLedger(amount, "1");
      await refresh.all();
      expect(await pair()).toMatchObject({ ledger: { amt: "0.062" } });
    }
    await pythonSnapshot("0.062");
    await refresh.symbol(SYMBOL);
    expect(alarms).toEqual([SYMBOL, SYMBOL, SYMBOL]);
    expect(refresh.problems()).toEqual([
      "another P3.3 writes the snapshots or ledgers of BTCUSDT: stop one of the two",
    ]);
    await refresh.all();
    expect(alarms).toHaveLength(3);
  });

  it("that writes between our read and our store is overwritten by what we read from the exchange", async () => {
    await rig.refresher().all();
    const { version, snapshot, ledger } = await pair();
    await pythonLedger("0.0", "1");
    expect(snapshot && ledger && (await rig.pairs.store(SYMBOL, version, { snapshot, ledger }))).toBeTruthy();
    expect(await pair()).toMatchObject({ ledger: { amt: "0.062" }, isForeign: false });
  });
});
