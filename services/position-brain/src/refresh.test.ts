import { once } from "node:events";
import type { Exchange, Rows } from "@quantum/exchange";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Execution } from "./pair.ts";
import { keys, type Rig, startRig } from "./rig.fixture.ts";
import type { RefreshEvents } from "./refresh-events.ts";
import { tradesAfter, tradesOf } from "./trades.ts";

let rig: Rig;

beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

const execution = (orderId: string, qty: string, side: string): Execution => ({
  planId: "0123456789abcdef",
  orderId,
  side,
  qty,
  atMs: Date.now(),
});

describe("a refresh of all symbols", () => {
  it("begins ledgers from the exchange's positions, in two bulk requests and what the bootstrap needs", async () => {
    await rig.refresher().all();
    const { snapshot, ledger } = await rig.pairs.read("ETHUSDT");
    expect(snapshot).toMatchObject({ positionAmt: "-1.850", entryPrice: "3402.15", leverage: "10" });
    expect(ledger).toMatchObject({ amt: "-1.850", origin: "bootstrap", lastExecution: undefined });
    expect(BigInt(ledger?.lastTradeId ?? 0)).toBeGreaterThan(0n);
    // Not in the allowlist, but with a position.
    expect((await rig.pairs.read("SOLUSDT")).snapshot?.positionAmt).toBe("42.15");
  });

  it("asks for trades only where a position moved", async () => {
    const refresher = rig.refresher();
    const stored: RefreshEvents["stored"][] = [];
    refresher.on("stored", (...event) => stored.push(event));
    await refresher.all();
    const before = await rig.requests();
    await refresher.all();
    await rig.move("BTCUSDT", "0.100");
    await refresher.all();
    const after = await rig.requests();
    const more = (path: string) => (after[path] ?? 0) - (before[path] ?? 0);
    expect(more("GET /fapi/v3/positionRisk")).toBe(2);
    // Of each symbol with a position: that weighs less than those of all symbols.
    expect(more("GET /fapi/v1/openOrders")).toBe(12);
    expect(more("GET /fapi/v1/userTrades")).toBe(1);
    expect((await rig.pairs.read("BTCUSDT")).ledger).toMatchObject({ amt: "0.1", origin: "trades" });
    expect(stored.filter(([{ symbol }]) => symbol === "ETHUSDT")).toHaveLength(3);
  });

  it("follows orders whose ids are beyond 2^53, digit by digit", async () => {
    const refresher = rig.refresher();
    await refresher.all();
    const { orderId } = await rig.order("ETHUSDT", "BUY", "0.350");
    expect(orderId).toMatch(/^\d{19}$/);
    expect(await refresher.symbol("ETHUSDT", execution(orderId, "0.350", "BUY"))).toBe("stored");
    expect((await rig.pairs.read("ETHUSDT")).ledger?.amt).toBe("-1.5");
    expect(await rig.redis.hgetall(keys.ledger("ETHUSDT"))).toMatchObject({
      last_order_id: orderId,
      last_result_plan_id: "0123456789abcdef",
      last_executed_qty: "0.350",
      last_side: "BUY",
    });
  });

  it("keeps the old pair when the exchange does not answer", async () => {
    const refresher = rig.refresher();
    await refresher.all();
    const before = await rig.pairs.read("BTCUSDT");
    const others = await rig.pairs.read("ETHUSDT");
    for (const path of ["GET /fapi/v3/positionRisk", "GET /fapi/v1/openOrders"]) {
      await rig.fault({ kind: "503_before", path });
      const failed = once(refresher, "failed");
      await expect(refresher.all()).rejects.toThrow(/fapi|503|Unknown error/);
      expect((await failed)[0]).toMatchObject({ symbol: undefined });
    }
    await rig.move("BTCUSDT", "0.050");
    await rig.fault({ kind: "503_before", path: "GET /fapi/v1/userTrades", symbol: "BTCUSDT" });
    const failed = once(refresher, "failed");
    await refresher.all();
    expect((await failed)[0]).toMatchObject({ symbol: "BTCUSDT" });
    expect(await rig.pairs.read("BTCUSDT")).toEqual(before);
    // The other symbols were refreshed, and this one follows.
    expect((await rig.pairs.read("ETHUSDT")).version).not.toBe(others.version);
    await refresher.all();
    expect((await rig.pairs.read("BTCUSDT")).ledger?.amt).toBe("0.05");
  });

  it("gives a foreign symbol that went flat one last snapshot", async () => {
    const refresher = rig.refresher();
    await refresher.all();
    await rig.move("SOLUSDT", "0.00");
    await refresher.all();
    const last = await rig.pairs.read("SOLUSDT");
    await refresher.all();
    const { version, snapshot } = await rig.pairs.read("SOLUSDT");
    expect(version).toBe(last.version);
    expect(snapshot?.positionAmt).toBe("0");
  });
});

describe("a bootstrap", () => {
  it("counts a trade that happens between its two reads once", async () => {
    let moved = false;
    const racing: Exchange = {
      ...rig.exchange,
      trades: async (symbol, query) => {
        const trades = await rig.exchange.trades(symbol, query);
        if (!moved) await rig.move("BTCUSDT", "0.075");
        moved = true;
        return trades;
      },
    };
    await rig.refresher(["BTCUSDT"], racing).symbol("BTCUSDT");
    const { ledger } = await rig.pairs.read("BTCUSDT");
    expect(ledger?.amt).toBe("0.075");
    await rig.move("BTCUSDT", "0.080");
    await rig.refresher().symbol("BTCUSDT");
    expect((await rig.pairs.read("BTCUSDT")).ledger?.amt).toBe("0.08");
  });

  it("replaces a ledger of the Python service, which counts no trades", async () => {
    await rig.redis.hset(keys.ledger("BTCUSDT"), "last_known_amt", "0", "updated_at", "1769301008");
    expect(await rig.refresher().symbol("BTCUSDT")).toBe("stored");
    expect((await rig.pairs.read("BTCUSDT")).ledger?.amt).toBe("0.062");
  });

  it("follows an account that had never traded the symbol", async () => {
    const untraded: Exchange = {
      ...rig.exchange,
      trades: async (symbol, query) =>
        (await rig.exchange.trades(symbol, query)).filter(({ id }) => id !== first?.id),
    };
    const [first] = await rig.exchange.trades("BTCUSDT");
    const refresher = rig.refresher(["BTCUSDT"], untraded);
    await refresher.symbol("BTCUSDT");
    expect((await rig.pairs.read("BTCUSDT")).ledger?.lastTradeId).toBe("0");
    await rig.move("BTCUSDT", "0.072");
    await refresher.symbol("BTCUSDT");
    const { ledger } = await rig.pairs.read("BTCUSDT");
    expect(ledger).toMatchObject({ amt: "0.072", origin: "trades" });
  });
});

describe("a position that the trades do not explain", () => {
  it("is stored as a mismatch, and stays one until an operator accepts the exchange's position", async () => {
    const refresher = rig.refresher();
    await refresher.all();
    await rig.move("BTCUSDT", "0.030", false);
    await refresher.all();
    const { ledger: held } = await rig.pairs.read("BTCUSDT");
    await refresher.all();
    const { snapshot, ledger } = await rig.pairs.read("BTCUSDT");
    expect([snapshot?.positionAmt, ledger?.amt]).toEqual(["0.030", "0.062"]);
    expect(held?.disagreesSinceMs).toBeGreaterThan(0);
    expect(ledger?.disagreesSinceMs).toBe(held?.disagreesSinceMs);

    expect(await refresher.accept("BTCUSDT")).toBe("stored");
    const accepted = await rig.pairs.read("BTCUSDT");
    expect(accepted.ledger).toMatchObject({ amt: "0.030", origin: "accepted" });
    expect(accepted.ledger?.disagreesSinceMs).toBeUndefined();
    // Later trades count from there.
    await rig.move("BTCUSDT", "0.040");
    await refresher.all();
    expect((await rig.pairs.read("BTCUSDT")).ledger).toMatchObject({ amt: "0.04", origin: "trades" });
  });

  it("heals by itself once the trades explain it", async () => {
    const refresher = rig.refresher();
    await refresher.all();
    await rig.move("BTCUSDT", "0.030", false);
    await refresher.all();
    await rig.move("BTCUSDT", "0.062", false);
    await refresher.all();
    const { snapshot, ledger } = await rig.pairs.read("BTCUSDT");
    expect([snapshot?.positionAmt, ledger?.amt]).toEqual(["0.062", "0.062"]);
    expect(ledger?.disagreesSinceMs).toBeUndefined();
  });

  it("keeps the last execution, and with it the cooldown, when the position is accepted", async () => {
    const refresher = rig.refresher();
    await refresher.all();
    const { orderId } = await rig.order("BTCUSDT", "SELL", "0.010");
    const execution = { planId: "0123456789abcdef", orderId, side: "SELL", qty: "0.010", atMs: Date.now() };
    await refresher.symbol("BTCUSDT", execution);
    await refresher.accept("BTCUSDT");
    expect((await rig.pairs.read("BTCUSDT")).ledger?.lastExecution).toEqual(execution);
  });

  it("is inconclusive while an order of ours is unsettled: the old pair stays, and it looks again soon", async () => {
    const refresher = rig.refresher();
    await refresher.all();
    const before = await rig.pairs.read("BTCUSDT");
    await rig.redis.zadd(keys.unsettled("BTCUSDT"), Date.now(), "0123456789abcdef");
    await rig.move("BTCUSDT", "0.030", false);
    const inconclusive = once(refresher, "inconclusive");
    await refresher.all();
    expect((await inconclusive)[0]).toEqual({ symbol: "BTCUSDT" });
    expect(await rig.pairs.read("BTCUSDT")).toEqual(before);

    // The order has settled, and its trades explain everything.
    await rig.move("BTCUSDT", "0.062", false);
    await rig.move("BTCUSDT", "0.030");
    await rig.redis.del(keys.unsettled("BTCUSDT"));
    const [stored] = await once(refresher, "stored");
    expect(stored).toMatchObject({ symbol: "BTCUSDT", pair: { ledger: { amt: "0.03" } } });
    refresher.stop();
  });

  it("is read once more when it is only the trades that come late", async () => {
    let late = true;
    const lagging: Exchange = {
      ...rig.exchange,
      trades: async (symbol, query) => {
        const trades = late ? [] : await rig.exchange.trades(symbol, query);
        late = false;
        return trades;
      },
    };
    await rig.refresher().all();
    await rig.move("BTCUSDT", "0.030");
    expect(await rig.refresher(["BTCUSDT"], lagging).symbol("BTCUSDT")).toBe("stored");
    expect((await rig.pairs.read("BTCUSDT")).ledger?.amt).toBe("0.03");
  });
});

describe("a refresh for a result", () => {
  it("stores nothing while position and trades both lag behind its fills", async () => {
    const refresher = rig.refresher();
    await refresher.all();
    const before = await rig.pairs.read("BTCUSDT");
    const [latest] = (await rig.exchange.trades("BTCUSDT")).slice(-1);
    const unseen = execution(String(BigInt(latest?.orderId ?? 0) + 1_000n), "0.010", "SELL");
    expect(await refresher.symbol("BTCUSDT", unseen)).toBe("inconclusive");
    expect(await rig.pairs.read("BTCUSDT")).toEqual(before);
    // A fill this old would have appeared long ago.
    expect(await refresher.symbol("BTCUSDT", { ...unseen, atMs: Date.now() - 60_000 })).toBe("stored");
    refresher.stop();
  });

  it("stores no mismatch when only the position lags behind its fills", async () => {
    await rig.refresher().all();
    const old = await rig.exchange.positions("BTCUSDT");
    let lags = 2;
    const lagging: Exchange = {
      ...rig.exchange,
      positions: async (symbol) => (lags-- > 0 ? old : rig.exchange.positions(symbol)),
    };
    const refresher = rig.refresher(["BTCUSDT"], lagging);
    const { orderId } = await rig.order("BTCUSDT", "SELL", "0.010");
    const executed = execution(orderId, "0.010", "SELL");
    expect(await refresher.symbol("BTCUSDT", executed)).toBe("inconclusive");
    expect((await rig.pairs.read("BTCUSDT")).ledger?.amt).toBe("0.062");
    expect(await refresher.symbol("BTCUSDT", executed)).toBe("stored");
    expect((await rig.pairs.read("BTCUSDT")).ledger?.amt).toBe("0.052");
    refresher.stop();
  });

  it("finds fills that an earlier refresh has counted", async () => {
    const refresher = rig.refresher();
    await refresher.all();
    const { orderId } = await rig.order("BTCUSDT", "SELL", "0.020");
    await refresher.all();
    expect(await refresher.symbol("BTCUSDT", execution(orderId, "0.020", "SELL"))).toBe("stored");
    expect((await rig.pairs.read("BTCUSDT")).ledger).toMatchObject({
      amt: "0.042",
      lastExecution: { orderId },
    });
  });

  it("is shared by those who come while one is running", async () => {
    const refresher = rig.refresher();
    await refresher.all();
    const before = (await rig.requests())["GET /fapi/v3/positionRisk"] ?? 0;
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => refresher.symbol("BTCUSDT")));
    expect(new Set(outcomes)).toEqual(new Set(["stored"]));
    expect(((await rig.requests())["GET /fapi/v3/positionRisk"] ?? 0) - before).toBe(1);
  });

  it("agrees with the exchange whatever several refreshers and orders do at the same time", async () => {
    const refreshers = [rig.refresher(), rig.refresher()];
    await Promise.all(refreshers.map((refresher) => refresher.all()));
    const orders = Array.from({ length: 12 }, async (_, index) => {
      const { orderId, executedQty } = await rig.order("BTCUSDT", "SELL", "0.003");
      const refresher = refreshers[index % 2] ?? rig.refresher();
      return refresher.symbol("BTCUSDT", execution(orderId, executedQty, "SELL"));
    });
    const schedule = refreshers.map((refresher) => refresher.all());
    await Promise.all([...orders, ...schedule]);
    await rig.refresher().symbol("BTCUSDT");
    const { snapshot, ledger } = await rig.pairs.read("BTCUSDT");
    expect(snapshot?.positionAmt).toBe("0.026");
    expect(ledger?.amt).toBe("0.026");
    for (const refresher of refreshers) refresher.stop();
  });

  it("rejects for a symbol that the exchange does not know", async () => {
    await expect(rig.refresher().symbol("NOSUCHUSDT")).rejects.toThrow(/-1121|Invalid symbol/);
  });
});

describe("trades after an id", () => {
  it("are all there are, however many pages", async () => {
    const [first] = await rig.exchange.trades("ETHUSDT");
    for (let step = 1; step <= 7; step++) await rig.move("ETHUSDT", `-1.85${step}`);
    const all = await rig.exchange.trades("ETHUSDT");
    for (const pageSize of [1, 2, 7, 100]) {
      expect(await tradesAfter(rig.exchange, "ETHUSDT", first?.id ?? "", pageSize)).toEqual(all.slice(1));
    }
    expect(await tradesAfter(rig.exchange, "ETHUSDT", all.at(-1)?.id ?? "")).toEqual([]);
  });

  it("are all there are before the first one is counted, too, but none older than the look-back", async () => {
    const all = await rig.exchange.trades("SOLUSDT");
    for (let step = 1; step <= 4; step++) await rig.move("SOLUSDT", `42.${step}`);
    const trades = await rig.exchange.trades("SOLUSDT");
    expect(trades.length).toBe(all.length + 4);
    for (const pageSize of [1, 2, 3, 100])
      expect(await tradesAfter(rig.exchange, "SOLUSDT", "0", pageSize)).toEqual(trades);
    const inTwoWeeks = { ...rig.exchange, now: () => Date.now() + 14 * 24 * 3_600_000 };
    expect(await tradesAfter(inTwoWeeks, "SOLUSDT", "0", 2)).toEqual([]);
  });

  it("come to an end where the exchange answers every page alike", async () => {
    await rig.move("ETHUSDT", "-1.9");
    const stuck = { ...rig.exchange, trades: () => rig.exchange.trades("ETHUSDT", { limit: 2 }) };
    expect((await tradesAfter(stuck, "ETHUSDT", "1", 2)).length).toBe(2);
  });

  it("of one order are all of its own, behind however many later ones", async () => {
    const { orderId } = await rig.order("ETHUSDT", "BUY", "0.100");
    for (let step = 1; step <= 3; step++) await rig.move("ETHUSDT", `-1.9${step}`);
    const own = (await rig.exchange.trades("ETHUSDT")).filter((trade) => trade.orderId === orderId);
    expect(own.length).toBeGreaterThan(0);
    for (const pageSize of [1, 2, 100])
      expect(await tradesOf(rig.exchange, "ETHUSDT", orderId, pageSize)).toEqual(own);
  });
});

describe("a row that cannot be read", () => {
  const oddRow = (symbol: string | undefined) => ({ symbol, problem: "odd" });

  it("leaves its own symbol as it was, and the others are refreshed", async () => {
    const failed: (string | undefined)[] = [];
    const without = <T extends { symbol: string }>({ rows }: Rows<T>): Rows<T> => {
      return { rows: rows.filter(({ symbol }) => symbol !== "ETHUSDT"), unreadable: [oddRow("ETHUSDT")] };
    };
    const { exchange } = rig;
    const odd: Exchange[] = [
      { ...exchange, openOrders: async (symbol) => without(await exchange.openOrders(symbol)) },
      { ...exchange, positions: async (symbol) => without(await exchange.positions(symbol)) },
    ];
    for (const through of odd) {
      const refresher = rig.refresher(["BTCUSDT", "ETHUSDT"], through);
      refresher.on("failed", ({ symbol }) => failed.push(symbol));
      await rig.redis.flushall();
      await refresher.all();
      expect((await rig.pairs.read("BTCUSDT")).snapshot).toBeDefined();
      expect((await rig.pairs.read("ETHUSDT")).snapshot).toBeUndefined();
      await expect(refresher.symbol("ETHUSDT")).rejects.toThrow("ETHUSDT: odd");
      refresher.stop();
    }
    expect(failed).toEqual(["ETHUSDT", "ETHUSDT"]);
  });

  it("fails the refresh where it leaves no allowed symbol to read, so that P3.3 is not ready", async () => {
    const through: Exchange = {
      ...rig.exchange,
      async positions(symbol) {
        const { rows } = await rig.exchange.positions(symbol);
        const others = rows.filter((row) => row.symbol !== "ETHUSDT");
        return { rows: others, unreadable: [oddRow("ETHUSDT")] };
      },
    };
    const refresher = rig.refresher(["ETHUSDT"], through);
    await expect(refresher.all()).rejects.toThrow("no allowed symbol can be read: ETHUSDT: odd");
    refresher.stop();
  });

  it("is nobody's where it does not tell its symbol: each symbol is queried by itself", async () => {
    const through: Exchange = {
      ...rig.exchange,
      async openOrders(symbol) {
        const answer = await rig.exchange.openOrders(symbol);
        const isOdd = symbol === undefined || symbol === "ETHUSDT";
        return isOdd ? { ...answer, unreadable: [oddRow(symbol)] } : answer;
      },
    };
    const refresher = rig.refresher(["BTCUSDT", "ETHUSDT"], through);
    await rig.redis.flushall();
    await refresher.all();
    expect((await rig.pairs.read("BTCUSDT")).snapshot).toBeDefined();
    expect((await rig.pairs.read("ETHUSDT")).snapshot).toBeUndefined();
    refresher.stop();
  });
});
