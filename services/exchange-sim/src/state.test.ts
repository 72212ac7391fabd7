import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { ConfigError } from "@quantum/service-kit";
import { Big } from "big.js";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DEFAULT_MARKET } from "./market.ts";
import type { SimOrder, SimTrade } from "./records.ts";
import { TestVenue } from "./requests.fixture.ts";
import { openState } from "./state.ts";
import { SimVenue } from "./venue.ts";

const SYMBOLS = new Set(DEFAULT_MARKET.map(({ symbol }) => symbol));

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "exchange-sim-"));
  file = join(folder, "account.jsonl");
});
afterEach(() => rm(folder, { recursive: true }));

interface Account {
  orders: SimOrder[];
  trades: object[];
  positions: { positionAmt: string; entryPrice: string; updateTimeMs: number }[];
}

async function accountOf(venue: TestVenue): Promise<Account> {
  const { orders, trades, positions } = (await venue.control("/sim/state")) as Account;
  // The price went on.
  const kept = positions.map(({ positionAmt, entryPrice, updateTimeMs }) => ({
    positionAmt,
    entryPrice,
    updateTimeMs,
  }));
  return { orders, trades, positions: kept };
}

describe("an account with a state file", () => {
  it("is the same after a restart, and its ids go on", async () => {
    let venue = await TestVenue.start({ stateFile: file });
    for (let i = 0; i < 5; i += 1) await venue.order("BTCUSDT", { newClientOrderId: `order-${i}` });
    await venue.control("/sim/faults", { kind: "partial_fill" });
    await venue.order("SOLUSDT", { quantity: "1.01" });
    await venue.control("/sim/positions", { symbol: "ETHUSDT", positionAmt: "-3.123", traded: true });
    await venue.control("/sim/positions", { symbol: "BNBUSDT", positionAmt: "-1.5", traded: false });
    const before = await accountOf(venue);
    await venue.close();

    for (let restarts = 0; restarts < 2; restarts += 1) {
      venue = await TestVenue.start({ stateFile: file });
      expect(await accountOf(venue)).toEqual(before);
      await venue.close();
    }
    venue = await TestVenue.start({ stateFile: file });
    await venue.order("BTCUSDT");
    await venue.control("/sim/positions", { symbol: "ETHUSDT", positionAmt: "-1", traded: true });
    const ids = (await accountOf(venue)).orders.map(({ symbol, orderId }) => `${symbol} ${orderId}`);
    expect(new Set(ids).size).toBe(ids.length);
    await venue.close();
  });

  it("keeps the orders that wait over restarts, and those that were cancelled", async () => {
    let venue = await TestVenue.start({ stateFile: file });
    const rest = async (order: object) =>
      (await venue.control("/sim/orders", { symbol: "BTCUSDT", side: "SELL", ...order })) as {
        orderId: string;
        origQty: string;
        algoId: string;
      };
    const limit = { type: "LIMIT", quantity: "0.010", reduceOnly: true };
    const [kept, cancelled] = [await rest(limit), await rest(limit)];
    const [stop, cancelledStop] = [await rest({ type: "STOP_MARKET" }), await rest({ type: "STOP" })];
    await venue.signed("DELETE /fapi/v1/order", { symbol: "BTCUSDT", orderId: cancelled.orderId });
    await venue.signed("DELETE /fapi/v1/algoOrder", { algoId: cancelledStop.algoId });
    for (let restarts = 0; restarts < 2; restarts += 1) {
      await venue.close();
      venue = await TestVenue.start({ stateFile: file });
      expect((await venue.signed("GET /fapi/v1/openOrders")).body).toMatchObject([
        { type: "LIMIT", origQty: kept.origQty, status: "NEW" },
      ]);
      expect((await venue.signed("GET /fapi/v1/openAlgoOrders")).body).toMatchObject([
        { clientAlgoId: `other-${stop.algoId}`, closePosition: true },
      ]);
    }
    expect((await rest({ type: "STOP" })).algoId).not.toBe(cancelledStop.algoId);
    await venue.close();
  });

  it("executes after a restart what was accepted before", async () => {
    let venue = await TestVenue.start({ stateFile: file });
    await venue.control("/sim/faults", { kind: "late_ack", ms: 60_000 });
    await venue.order("BTCUSDT", { newClientOrderId: "late" });
    await venue.close();
    venue = await TestVenue.start({ stateFile: file });
    const late = async () =>
      (await accountOf(venue)).orders.filter(({ clientOrderId }) => clientOrderId === "late");
    expect(await late()).toMatchObject([{ status: "FILLED", executedQty: "0.001" }]);
    await venue.close();
    venue = await TestVenue.start({ stateFile: file });
    expect(await late()).toHaveLength(1);
    await venue.close();
  });

  it("is whole wherever the process is killed", async () => {
    const account = new SimVenue(DEFAULT_MARKET, 7, true, Date.now);
    const state = openState(file, SYMBOLS);
    state.follow(account);
    const head = (await stat(file)).size;
    for (const quantity of ["0.020", "0.030", "0.011"]) {
      const order = { symbol: "BTCUSDT", side: "SELL", type: "MARKET", quantity, reduceOnly: "true" };
      for (const execution of ["at_once", "half"] as const) account.place(order, execution);
    }
    state.close();
    const bytes = await readFile(file);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: head, max: bytes.length }), async (end) => {
        await writeFile(file, bytes.subarray(0, end));
        for (const { orders, trades, position } of openState(file, SYMBOLS).accounts?.values() ?? []) {
          expect(sum(trades).toFixed()).toBe(Big(position.amount).toFixed());
          for (const { orderId, executedQty } of orders) {
            const executed = sum(trades.filter((trade) => trade.orderId === orderId)).abs();
            expect(executed.toFixed()).toBe(Big(executedQty).toFixed());
          }
        }
      }),
    );
  });
});

function sum(trades: readonly SimTrade[]): Big {
  return trades.reduce(
    (total, { side, qty }) => (side === "BUY" ? total.plus(qty) : total.minus(qty)),
    Big(0),
  );
}

describe("a state file", () => {
  beforeEach(() => {
    const state = openState(file, SYMBOLS);
    state.follow(new SimVenue(DEFAULT_MARKET, 1, false, Date.now));
    state.close();
  });

  it.each([
    ["a changed digit", (text: string) => text.replace("0.062", "0.063"), "line 2 is not what was written"],
    ["a missing line", (text: string) => text.replace(/\n.*\n/, "\n"), "line 2 is not what was written"],
    ["no content", () => "", "it is empty"],
    ["another content", () => '{"orders":[]}\n', "line 1 is not what was written"],
  ])("with %s is refused, with what to do", async (_what, damage, why) => {
    await writeFile(file, damage(await readFile(file, "utf8")));
    const open = () => openState(file, SYMBOLS);
    expect(open).toThrow(ConfigError);
    expect(open).toThrow(`EXCHANGE_SIM_STATE=${JSON.stringify(file)}: ${why}`);
    expect(open).toThrow("Move the file away to start with a new account");
  });

  it("from before there were limit orders is read: all its orders were market orders", async () => {
    const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
    let checksum = 0;
    const old = lines.map((line) => {
      const json = line.slice(line.indexOf(" ") + 1).replace('"type":"MARKET","price":"0.00",', "");
      checksum = crc32(json, checksum);
      return `${checksum.toString(16).padStart(8, "0")} ${json}\n`;
    });
    await writeFile(file, old.join(""));
    const orders = [...(openState(file, SYMBOLS).accounts?.values() ?? [])].flatMap(({ orders }) => orders);
    expect(orders).toHaveLength(SYMBOLS.size);
    expect(new Set(orders.map(({ type, price }) => `${type} ${price}`))).toEqual(new Set(["MARKET 0.00"]));
    expect(old.join("")).not.toContain("MARKET");
  });

  it("loses only a line that was being written", async () => {
    const text = await readFile(file, "utf8");
    await writeFile(file, `${text}00000000 {"symbol":"BTC`);
    expect([...(openState(file, SYMBOLS).accounts?.keys() ?? [])]).toEqual([...SYMBOLS]);
  });

  it("of another market is refused", () => {
    expect(() => openState(file, new Set(["BTCUSDT"]))).toThrow(
      "it has ETHUSDT, which the market does not have",
    );
  });

  it("that cannot be written stops the start", () => {
    const nowhere = join(folder, "missing", "account.jsonl");
    const state = openState(nowhere, SYMBOLS);
    expect(() => state.follow(new SimVenue(DEFAULT_MARKET, 1, false, Date.now))).toThrow(
      `EXCHANGE_SIM_STATE=${JSON.stringify(nowhere)}: ENOENT`,
    );
  });
});
