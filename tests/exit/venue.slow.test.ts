/** The exit matrix: what the exchange does. Each row ends flat, or says honestly what is left. */
import { afterEach, describe, expect, it } from "vitest";
import { type ExitStage, expectFlat, expectOnlyReduced, openExitStage } from "./stage.ts";

const TIMEOUT_MS = 120_000;
const BAN_MS = 65_000;
const SHORT_BAN_MS = 4_000;
const SYMBOL = "ETHUSDT";
/** Short 1.850, of which one order carries a third. */
const THREE_ORDERS = {
  symbol: SYMBOL,
  price: "3310.00",
  positionAmt: "-1.850",
  entryPrice: "3402.15",
  stepSize: "0.001",
  minQty: "0.001",
  marketMaxQty: "0.617",
  minNotional: "20",
  tickSize: "0.01",
  leverage: "10",
};

let stage: ExitStage;
afterEach(async () => {
  await expectOnlyReduced(stage);
  await stage.stop();
});

/** Long 0.062. */
const LONG = "BTCUSDT";
const ENTRY = { symbol: LONG, side: "BUY", type: "LIMIT", quantity: "0.010", price: "90000" };
const OPENING_ALGO = { symbol: LONG, side: "BUY", type: "STOP_MARKET", quantity: "0.010" };
const STOP = { symbol: LONG, side: "SELL", type: "STOP_MARKET", reduceOnly: true };
/** Takes the whole position, so that the exchange refuses another reduce-only order. */
const TAKE_ALL = {
  symbol: LONG,
  side: "SELL",
  type: "LIMIT",
  quantity: "0.062",
  reduceOnly: true,
  price: "200000",
};

describe("orders that wait at the exchange", () => {
  const rest = (order: object) => stage.sim("POST", "/sim/orders", order);
  const waiting = async () => {
    const { orders, algoOrders } = await stage.state();
    return [...orders, ...algoOrders].filter(({ symbol, status }) => symbol === LONG && status === "NEW");
  };

  it(
    "entries and a stop: the position is closed, and none of them is left",
    { timeout: TIMEOUT_MS },
    async () => {
      stage = await openExitStage();
      for (const order of [ENTRY, OPENING_ALGO, STOP]) await rest(order);
      expectFlat(await stage.flatten([LONG]));
      expect(await stage.open()).not.toHaveProperty(LONG);
      await stage.until(async () => (await waiting()).length === 0 || undefined, "nothing waits any more");
    },
  );

  it(
    "a reduce-only order for all of it, which forbids ours: it gives way",
    { timeout: TIMEOUT_MS },
    async () => {
      stage = await openExitStage();
      await rest(TAKE_ALL);
      expectFlat(await stage.flatten([LONG]));
      expect(await stage.open()).not.toHaveProperty(LONG);
      await stage.until(async () => (await waiting()).length === 0 || undefined, "nothing waits any more");
    },
  );

  it("those of other symbols stay", { timeout: TIMEOUT_MS }, async () => {
    stage = await openExitStage();
    await rest(STOP);
    expectFlat(await stage.flatten(["SOLUSDT"]));
    expect(await waiting()).toHaveLength(1);
  });

  it("a drill names them, and cancels none", { timeout: TIMEOUT_MS }, async () => {
    stage = await openExitStage();
    for (const order of [ENTRY, OPENING_ALGO, STOP]) await rest(order);
    const { output } = await stage.flatten([LONG, "--drill"]);
    expect(output).toContain("STOP_MARKET");
    expect(await waiting()).toHaveLength(3);
  });
});

describe("orders of the exchange's", () => {
  it("a position of three orders is closed by three", { timeout: TIMEOUT_MS }, async () => {
    stage = await openExitStage({ market: [THREE_ORDERS] });
    expectFlat(await stage.flatten([SYMBOL]));
    const sent = await stage.sent(SYMBOL);
    expect(sent.map(({ executedQty }) => Number(executedQty))).toEqual([0.617, 0.617, 0.616]);
    for (const order of sent) expect(order).toMatchObject({ side: "BUY", reduceOnly: true });
  });

  it("partial fills: the rest is sent again, by fresh plans", { timeout: TIMEOUT_MS }, async () => {
    stage = await openExitStage();
    await stage.fault({ kind: "partial_fill", symbol: SYMBOL, count: 3 });
    expectFlat(await stage.flatten([SYMBOL]));
    expect(await stage.sent(SYMBOL)).toHaveLength(4);
  });

  it.each([-4131, -2022, -4118])(
    "%i twice: it comes back, and closes",
    { timeout: TIMEOUT_MS },
    async (code) => {
      stage = await openExitStage();
      await stage.fault({ kind: "error", code, symbol: SYMBOL, count: 2 });
      expectFlat(await stage.flatten([SYMBOL]));
      expect(await stage.open()).not.toHaveProperty(SYMBOL);
    },
  );

  it(
    "one symbol is rejected for ever: the others are closed, and the exit names it",
    { timeout: TIMEOUT_MS },
    async () => {
      stage = await openExitStage();
      await stage.fault({ kind: "error", code: -4131, symbol: SYMBOL, count: 1_000 });
      const running = await stage.exit(["flatten", "--all"]);
      await stage.until(
        async () => Object.keys(await stage.open()).join() === SYMBOL || undefined,
        "all others are closed meanwhile",
      );
      await running.interrupt();
      const { code, output } = await running.ended;
      expect(code).not.toBe(0);
      expect(output).toMatch(new RegExp(`${SYMBOL}.*1\\.850?`));
      await stage.sim("DELETE", "/sim/faults");
    },
  );

  it("a ban between two orders: the next plan follows when it is over", { timeout: TIMEOUT_MS }, async () => {
    stage = await openExitStage({ market: [THREE_ORDERS] });
    // Of the second order; the first one is the partial fill.
    await stage.fault({ kind: "partial_fill", symbol: SYMBOL });
    await stage.fault({ kind: "418", symbol: SYMBOL, ms: SHORT_BAN_MS });
    const began = performance.now();
    const running = await stage.exit(["flatten", SYMBOL]);
    await running.until(/IP banned.*next plan in \d/);
    expectFlat(await running.ended);
    expect(performance.now() - began).toBeGreaterThan(SHORT_BAN_MS);
  });

  it(
    "a ban of more than a minute: it shows its end, waits for it, and closes",
    { timeout: 3 * BAN_MS },
    async () => {
      stage = await openExitStage();
      await stage.sim("POST", "/sim/ban", { ms: BAN_MS });
      const began = performance.now();
      const running = await stage.exit(["flatten", SYMBOL]);
      await running.until(/pause until 20\S+Z/);
      expectFlat(await running.ended);
      expect(performance.now() - began).toBeGreaterThan(BAN_MS);
    },
  );

  it("dust is named, and is not flat", { timeout: TIMEOUT_MS }, async () => {
    stage = await openExitStage({ market: [{ ...THREE_ORDERS, minQty: "0.010", positionAmt: "-0.004" }] });
    const running = await stage.exit(["flatten", SYMBOL]);
    const { code, output } = await running.ended;
    expect(code).not.toBe(0);
    expect(output).toContain("0.004");
    expect(await stage.sent(SYMBOL)).toEqual([]);
  });
});
