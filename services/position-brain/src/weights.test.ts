/** What readings weigh, as the exchange counts it, and that nothing is spent on one that cannot end. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Execution } from "./pair.ts";
import type { PairRefresh } from "./refresh.ts";
import { type Rig, startRig } from "./rig.fixture.ts";

const LIMIT = 1_000;
const REFRESH_STOPS_AT = 750;

let rig: Rig;
let refresher: PairRefresh;
beforeEach(async () => {
  rig = await startRig();
  refresher = rig.refresher(["BTCUSDT", "ETHUSDT"], rig.exchange.as("refresh"));
  await refresher.all();
});
afterEach(async () => {
  refresher.stop();
  await rig.stop();
});

/** How much the exchange has counted meanwhile. */
async function weighed(body: () => Promise<unknown>): Promise<number> {
  const count = async () => {
    const usage = (await (await fetch(`${rig.sim.url}/sim/usage`)).json()) as { limits: { weight: number } };
    return usage.limits.weight;
  };
  const before = await count();
  await body();
  return (await count()) - before;
}

/** Leaves this much of the minute's weight to refreshes. */
function leave(weight: number): void {
  rig.budget.setLimits({ weight_1m: LIMIT });
  const used = rig.budget.shortage("refresh", { weight_1m: LIMIT })?.used ?? 0;
  rig.budget.spend({ weight_1m: REFRESH_STOPS_AT - used - weight });
}

/** Its trades are read. */
const executed: Execution = { planId: "0123456789abcdef", orderId: "", side: "SELL", qty: "1", atMs: 1 };

describe("a reading of one symbol", () => {
  it("weighs 11 with its trades, and is not begun with less", async () => {
    leave(10);
    const refused = () =>
      expect(refresher.symbol("BTCUSDT", executed)).rejects.toThrow("not asked: 740 of the exchange's limit");
    expect(await weighed(refused)).toBe(0);
  });

  it("ends with 11", async () => {
    leave(11);
    expect(await weighed(() => refresher.symbol("BTCUSDT", executed))).toBe(11);
    await expect(refresher.symbol("BTCUSDT")).rejects.toThrow("not asked: 750 of");
  });

  it("gives back what it needs no trades for", async () => {
    leave(11 + 6);
    expect(await weighed(() => refresher.symbol("BTCUSDT"))).toBe(6);
    expect(await weighed(() => refresher.symbol("BTCUSDT"))).toBe(6);
  });

  it("weighs twice as much if its ledger begins", async () => {
    await rig.redis.flushall();
    leave(21);
    expect(await weighed(() => refresher.symbol("BTCUSDT").catch(() => undefined))).toBe(0);
    await rig.pairs.read("BTCUSDT");
    rig.budget.setLimits({ weight_1m: LIMIT + 2 });
    expect(await weighed(() => refresher.symbol("BTCUSDT"))).toBe(22);
    expect((await rig.pairs.read("BTCUSDT")).ledger?.amt).toBe("0.062");
  });
});

it("readings that begin at once spend nothing unless they end", async () => {
  leave(2 * 11 + 10);
  const symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT"];
  let ended = 0;
  const spent = await weighed(async () => {
    const readings = await Promise.allSettled(symbols.map((symbol) => refresher.symbol(symbol, executed)));
    ended = readings.filter(({ status }) => status === "fulfilled").length;
  });
  expect([ended, spent]).toEqual([2, 22]);
});

describe("a reading of the whole account", () => {
  const POSITIONS = 6;
  const move = () => Promise.all([rig.move("BTCUSDT", "0.05"), rig.move("ETHUSDT", "-1.5")]);
  const failed = (): (string | undefined)[] => {
    const symbols: (string | undefined)[] = [];
    refresher.on("failed", ({ symbol }) => symbols.push(symbol));
    return symbols;
  };

  it("is not begun unless it may tell of one symbol", async () => {
    await move();
    leave(POSITIONS + 5 + 4);
    const refused = () => expect(refresher.all()).rejects.toThrow("not asked: 735 of the exchange's limit");
    expect(await weighed(refused)).toBe(0);
  });

  it("keeps what it has read when the room ends", async () => {
    await move();
    const symbols = failed();
    leave(POSITIONS + 5 + 5);
    expect(await weighed(() => refresher.all())).toBe(16);
    expect(symbols).toHaveLength(1);
    const [other] = ["BTCUSDT", "ETHUSDT"].filter((symbol) => symbol !== symbols[0]);
    expect((await rig.pairs.read(other ?? "")).ledger?.amt).toMatch(/^(0\.05|-1\.5)$/);
  });

  it("weighs 1 for each symbol with a position, 5 for all positions, 5 for each that has moved", async () => {
    await move();
    const symbols = failed();
    leave(POSITIONS + 5 + 2 * 5);
    expect(await weighed(() => refresher.all())).toBe(21);
    expect(symbols).toEqual([]);
    await expect(refresher.all()).rejects.toThrow("not asked: 750 of");
  });
});
