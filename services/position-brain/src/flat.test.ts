/** Symbols that the exchange's positions do not list: they are flat, if the exchange lists them at all. */
import type { Exchange } from "@quantum/exchange";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Rig, startRig, UNLISTED } from "./rig.fixture.ts";

let rig: Rig;
beforeAll(async () => void (rig = await startRig()));
beforeEach(() => rig.redis.flushall());
afterAll(() => rig.stop());

const amountsOf = async (symbol: string) => {
  const { snapshot, ledger } = await rig.pairs.read(symbol);
  return [snapshot?.positionAmt, ledger?.amt];
};

describe("a symbol that the positions do not list", () => {
  it("is flat, whether all are read or it alone, and its trades are counted", async () => {
    const refresher = rig.refresher(["BTCUSDT", "ETHUSDT"]);
    await refresher.all();
    await rig.move("BTCUSDT", "0.000");
    await refresher.all();
    expect((await rig.exchange.positions()).rows.map(({ symbol }) => symbol)).not.toContain("BTCUSDT");
    expect(await amountsOf("BTCUSDT")).toEqual(["0", "0"]);
    await rig.move("BTCUSDT", "0.010");
    await refresher.symbol("BTCUSDT");
    expect(await amountsOf("BTCUSDT")).toEqual(["0.010", "0.01"]);
    await rig.move("BTCUSDT", "0.000");
    await refresher.symbol("BTCUSDT");
    expect(await amountsOf("BTCUSDT")).toEqual(["0", "0"]);
    refresher.stop();
  });

  it("is unknown if a row could be its own", async () => {
    const odd: Exchange = {
      ...rig.exchange,
      async positions(symbol) {
        const { rows } = await rig.exchange.positions(symbol);
        return { rows, unreadable: [{ symbol, problem: "odd" }] };
      },
    };
    await rig.move("BTCUSDT", "0.000");
    const refresher = rig.refresher(["BTCUSDT", "ETHUSDT"], odd);
    await expect(refresher.all()).rejects.toThrow("no allowed symbol can be read");
    await expect(refresher.symbol("BTCUSDT")).rejects.toThrow("odd");
    expect(await amountsOf("BTCUSDT")).toEqual([undefined, undefined]);
    refresher.stop();
  });

  it("is unknown if the exchange does not list it at all", async () => {
    const refresher = rig.refresher(["ETHUSDT", UNLISTED]);
    await refresher.all();
    expect(await amountsOf(UNLISTED)).toEqual([undefined, undefined]);
    await expect(refresher.symbol(UNLISTED)).rejects.toThrow(/-1121|Invalid symbol/);
    // Nor is what was known of it renewed: it grows stale.
    const { snapshot, ledger } = await rig.pairs.read("ETHUSDT");
    if (snapshot === undefined || ledger === undefined) throw new Error("ETHUSDT has no pair");
    const flat = { ...snapshot, positionAmt: "0", openReduceQty: "0", updateTimeMs: 0 };
    const { version: none } = await rig.pairs.read(UNLISTED);
    const pair = { snapshot: flat, ledger: { ...ledger, amt: "0" } };
    const version = await rig.pairs.store(UNLISTED, none, pair);
    expect(version).toBeDefined();
    await refresher.all();
    expect((await rig.pairs.read(UNLISTED)).version).toBe(version);
    refresher.stop();
  });

  it("that was open between the bootstrap's two reads is read again", async () => {
    await rig.move("BTCUSDT", "0.000");
    let looks = 0;
    const racing: Exchange = {
      ...rig.exchange,
      async trades(symbol, query) {
        looks += 1;
        // Somebody opens it before the first look at its trades and closes it before the second read of the position.
        if (looks === 1) await rig.move("BTCUSDT", "0.020");
        const trades = await rig.exchange.trades(symbol, query);
        if (looks === 1) await rig.move("BTCUSDT", "0.000");
        return trades;
      },
    };
    const refresher = rig.refresher(["BTCUSDT"], racing);
    await refresher.symbol("BTCUSDT");
    expect(await amountsOf("BTCUSDT")).toEqual(["0", "0"]);
    await rig.move("BTCUSDT", "0.005");
    await refresher.symbol("BTCUSDT");
    expect(await amountsOf("BTCUSDT")).toEqual(["0.005", "0.005"]);
    refresher.stop();
  });
});
