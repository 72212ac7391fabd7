import { once } from "node:events";
import { createBinanceExchange } from "@quantum/exchange";
import { Big } from "big.js";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocket } from "ws";
import { ListenKeys } from "./listen-keys.ts";
import type { ExchangeSim } from "./server.ts";
import {
  control,
  kindOf,
  listen,
  listenKeyOf,
  listenKeyRequest,
  type SeenEvent,
  startVenue,
  trade,
  useVenues,
} from "./user-stream.fixture.ts";

useVenues();

let lastOrder = 0;
function place(sim: ExchangeSim, symbol: string, quantity: string) {
  const exchange = createBinanceExchange({
    baseUrl: sim.url,
    apiKey: "sim-key",
    apiSecret: "sim-secret",
    timeoutMs: 3000,
    recvWindowMs: 5000,
  });
  return exchange.placeReduceOnlyMarket({
    symbol,
    side: symbol === "ETHUSDT" ? "BUY" : "SELL",
    quantity,
    clientOrderId: `qp-stream-${(lastOrder += 1)}`,
    timestampMs: exchange.now(),
    recvWindowMs: 5000,
  });
}
const isClosed = ({ o }: SeenEvent) => o !== undefined && ["FILLED", "EXPIRED"].includes(String(o["X"]));

describe("the listen key", () => {
  it("is one for the account: asking again returns and extends it", async () => {
    const sim = await startVenue();
    const key = await listenKeyOf(sim);
    expect(key).toHaveLength(64);
    expect(await listenKeyOf(sim)).toBe(key);
    expect(await listenKeyRequest(sim, "PUT")).toEqual({ status: 200, body: { listenKey: key } });
  });

  it("cannot be extended after it was deleted, and a new one is another", async () => {
    const sim = await startVenue();
    const key = await listenKeyOf(sim);
    await listenKeyRequest(sim, "DELETE");
    expect(await listenKeyRequest(sim, "PUT")).toMatchObject({ status: 400, body: { code: -1125 } });
    expect(await listenKeyOf(sim)).not.toBe(key);
  });

  it("needs the API key and no signature", async () => {
    const sim = await startVenue();
    const stranger = await listenKeyRequest(sim, "POST", "another-key");
    expect(stranger).toMatchObject({ status: 401, body: { code: -2015 } });
  });

  it("ends with an event that says so, and the socket closes", async () => {
    const sim = await startVenue();
    const key = await listenKeyOf(sim);
    const [told, filtered] = [await listen(sim), await listen(sim, { events: "ORDER_TRADE_UPDATE" })];
    const closed = Promise.all([once(told.socket, "close"), once(filtered.socket, "close")]);
    await listenKeyRequest(sim, "DELETE");
    expect(await told.next()).toEqual({
      e: "listenKeyExpired",
      E: expect.stringMatching(/^\d{13}$/),
      listenKey: key,
    });
    await closed;
    expect(filtered.texts).toEqual([]);
  });

  it("is due an hour after it was last asked for or extended", () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const onDue = vi.fn<() => void>();
    const keys = new ListenKeys(3_600_000, onDue);
    for (const extend of [() => keys.start(), () => keys.extend(), () => keys.start()]) {
      extend();
      vi.advanceTimersByTime(3_599_999);
    }
    expect(onDue).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(onDue).toHaveBeenCalledOnce();
  });
});

describe("an order's events", () => {
  it("are NEW, then for each trade the position and the order, with the trade's time", async () => {
    const sim = await startVenue();
    const listener = await listen(sim);
    let held = Big("42.15");
    // A quarter of the orders fill in two trades.
    for (let trades = 0; trades < 2;) {
      await place(sim, "SOLUSDT", "0.04");
      const [accepted, ...rest] = await listener.until(isClosed);
      expect(accepted).toMatchObject({
        e: "ORDER_TRADE_UPDATE",
        o: { s: "SOLUSDT", x: "NEW", X: "NEW", R: true, S: "SELL", o: "MARKET", q: "0.04", z: "0", t: 0 },
      });
      let executed = Big(0);
      for (let j = 0; j < rest.length; j += 2) {
        const [account, order] = [rest[j], rest[j + 1]];
        expect([account, order].map((event) => event && kindOf(event))).toEqual([
          "ACCOUNT_UPDATE ORDER",
          "ORDER_TRADE_UPDATE TRADE",
        ]);
        const filled = String(order?.o?.["l"]);
        executed = executed.plus(filled);
        held = held.minus(filled);
        expect(account?.T).toBe(order?.T);
        expect(order?.o?.["z"]).toBe(executed.toFixed());
        expect(account?.a?.P).toEqual([expect.objectContaining({ s: "SOLUSDT", pa: held.toFixed() })]);
        expect(order?.o?.["X"]).toBe(executed.eq("0.04") ? "FILLED" : "PARTIALLY_FILLED");
      }
      trades = rest.length / 2;
    }
  });

  it("have ids as numbers with all digits and decimals as strings", async () => {
    const sim = await startVenue();
    const listener = await listen(sim, { events: "ORDER_TRADE_UPDATE" });
    const placement = await place(sim, "ETHUSDT", "0.010");
    await listener.until(isClosed);
    const text = listener.texts.at(-1) ?? "";
    const orderId = placement.outcome === "answered" ? placement.order.orderId : placement.outcome;
    expect(orderId).toMatch(/^\d{19}$/);
    expect(text).toContain(`"i":${orderId},`);
    expect(text).toMatch(/"t":\d+,/);
    for (const field of ["q", "z", "l", "L", "ap", "n", "rp"]) {
      expect(text).toMatch(new RegExp(`"${field}":"-?\\d+(\\.\\d+)?"`));
    }
  });

  it("end with EXPIRED where a part stays unfilled, which moves no position", async () => {
    const sim = await startVenue();
    const listener = await listen(sim);
    await control(sim, "/sim/faults", { kind: "partial_fill" });
    await place(sim, "BTCUSDT", "0.010");
    const events = await listener.until(isClosed);
    expect(kindOf(events.at(-1) as SeenEvent)).toBe("ORDER_TRADE_UPDATE EXPIRED");
    expect(events.at(-1)?.o).toMatchObject({ X: "EXPIRED", q: "0.01", z: "0.005", l: "0", t: 0 });
  });

  it("come when it executes, not when it is accepted", async () => {
    const sim = await startVenue();
    const listener = await listen(sim);
    await control(sim, "/sim/faults", { kind: "late_ack", ms: 50 });
    await place(sim, "BTCUSDT", "0.010");
    const [accepted, ...rest] = await listener.until(isClosed);
    expect(Number(rest.at(-1)?.T) - Number(accepted?.T)).toBeGreaterThanOrEqual(45);
  });
});

describe("what others do to the account", () => {
  it.each([
    ["other", /^other-/, "TRADE"],
    ["liquidation", /^autoclose-\d+$/, "CALCULATED"],
    ["adl", /^adl_autoclose$/, "CALCULATED"],
    ["settlement", /^settlement_autoclose-\d+$/, "TRADE"],
  ])("is told as it is: %s", async (by, clientOrderId, execution) => {
    const sim = await startVenue();
    const listener = await listen(sim);
    await trade(sim, "SOLUSDT", "0", by);
    const [accepted, account, order] = await listener.take(3);
    for (const event of [accepted, order]) expect(event?.o?.["c"]).toMatch(clientOrderId);
    expect(accepted?.o).toMatchObject({ x: "NEW", X: "NEW" });
    expect(account?.a).toMatchObject({ m: "ORDER", P: [{ s: "SOLUSDT", pa: "0", ep: "0" }] });
    expect(order?.o).toMatchObject({ x: execution, X: "FILLED", l: "42.15", z: "42.15", R: false });
  });

  it("realizes a profit where it closes, and costs a fee", async () => {
    const sim = await startVenue();
    const listener = await listen(sim);
    let wallet = Big(100_000);
    let realized = Big(0);
    let entry = "139.82";
    const steps = [
      { target: "30", closed: "12.15" },
      { target: "-10", closed: "30" },
      { target: "0", closed: "-10" },
      { target: "5", closed: "0" },
    ];
    for (const { target, closed } of steps) {
      await trade(sim, "SOLUSDT", target);
      const [, account, order] = await listener.take(3);
      const { L, l, n, rp } = (order?.o ?? {}) as Record<string, string>;
      expect(rp).toBe(
        Big(L ?? 0)
          .minus(entry)
          .times(closed)
          .toFixed(),
      );
      expect(n).toBe(
        Big(L ?? 0)
          .times(l ?? 0)
          .times("0.0005")
          .round(8)
          .toFixed(),
      );
      realized = realized.plus(rp ?? 0);
      wallet = wallet.plus(rp ?? 0).minus(n ?? 0);
      const [position] = account?.a?.P ?? [];
      expect(position?.["cr"]).toBe(realized.toFixed());
      expect(account?.a?.B).toEqual([expect.objectContaining({ a: "USDT", wb: wallet.toFixed() })]);
      entry = position?.["ep"] ?? "";
    }
  });

  it("without a trade is an adjustment, and no balance", async () => {
    const sim = await startVenue();
    const listener = await listen(sim);
    await control(sim, "/sim/positions", { symbol: "BTCUSDT", positionAmt: "0.05", traded: false });
    expect((await listener.next()).a).toMatchObject({ m: "ADJUSTMENT", B: [], P: [{ pa: "0.05" }] });
  });
});

describe("a socket", () => {
  it("gets the events that it asked for and no others", async () => {
    const sim = await startVenue();
    const all = await listen(sim);
    const some = await listen(sim, { events: "ACCOUNT_UPDATE/listenKeyExpired" });
    await trade(sim, "BTCUSDT", "0.05");
    await all.take(3);
    await listenKeyRequest(sim, "DELETE");
    expect((await some.take(2)).map(({ e }) => e)).toEqual(["ACCOUNT_UPDATE", "listenKeyExpired"]);
  });

  it("with a key that is not active opens and stays silent", async () => {
    const sim = await startVenue();
    const stranger = await listen(sim, { listenKey: "0".repeat(64) });
    const owner = await listen(sim);
    await trade(sim, "BTCUSDT", "0.05");
    await owner.take(3);
    stranger.socket.ping();
    await once(stranger.socket, "pong");
    expect(stranger.texts).toEqual([]);
  });

  it("is pinged, and its own pings are answered with what they carry", async () => {
    const sim = await startVenue({ streamTimes: { pingMs: 10 } });
    const { socket } = await listen(sim);
    await once(socket, "ping");
    socket.ping("1769301008977");
    const [payload] = (await once(socket, "pong")) as [Buffer];
    expect(payload.toString()).toBe("1769301008977");
  });

  it("is cut off when it answers no ping", async () => {
    const sim = await startVenue({ streamTimes: { pingMs: 10, pongWithinMs: 50 } });
    const { socket } = await listen(sim, { autoPong: false });
    const [code] = (await once(socket, "close")) as [number];
    expect(code).toBe(1006);
  });

  it("is closed after its longest time, whatever it does", async () => {
    const sim = await startVenue({ streamTimes: { connectionMs: 30 } });
    const { socket } = await listen(sim);
    const [code] = (await once(socket, "close")) as [number];
    expect(code).toBe(1001);
  });

  it("does not keep the venue from stopping", async () => {
    const sim = await startVenue();
    const { socket } = await listen(sim);
    const closed = once(socket, "close") as Promise<[number]>;
    await sim.close();
    expect((await closed)[0]).toBe(1006);
  });

  it("is refused on another path", async () => {
    const sim = await startVenue();
    const socket = new WebSocket(`${sim.url.replace("http", "ws")}/ws/${await listenKeyOf(sim)}`);
    const [error] = (await once(socket, "error")) as [Error];
    expect(error.message).toContain("404");
  });
});
