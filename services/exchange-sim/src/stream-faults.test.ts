import { once } from "node:events";
import { describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import type { ExchangeSim } from "./server.ts";
import { DeliveryFaults } from "./stream-faults.ts";
import {
  control,
  kindOf,
  listen,
  listenKeyOf,
  listenKeyRequest,
  startVenue,
  trade,
  useVenues,
} from "./user-stream.fixture.ts";

useVenues();

const fault = (sim: ExchangeSim, of: object) => control(sim, "/sim/stream-faults", of);
const ORDERS = { events: "ORDER_TRADE_UPDATE" };
const NEW = "ORDER_TRADE_UPDATE NEW";
const TRADE = "ORDER_TRADE_UPDATE TRADE";
const ACCOUNT = "ACCOUNT_UPDATE ORDER";

/** Kinds of `count` events after one trade. */
async function after(sim: ExchangeSim, of: object, count: number, events = {}): Promise<string[]> {
  const listener = await listen(sim, events);
  await fault(sim, of);
  await trade(sim, "BTCUSDT", "0.05");
  return (await listener.take(count)).map(kindOf);
}

describe("a fault of single events", () => {
  it("drops them", async () => {
    expect(await after(await startVenue(), { kind: "drop" }, 2)).toEqual([ACCOUNT, TRADE]);
  });

  it("doubles them, at once or later", async () => {
    const sim = await startVenue();
    expect(await after(sim, { kind: "double", ms: 30 }, 4)).toEqual([NEW, ACCOUNT, TRADE, NEW]);
  });

  it("sends them after the next one", async () => {
    const sim = await startVenue();
    expect(await after(sim, { kind: "reorder", ms: 60_000 }, 3)).toEqual([ACCOUNT, NEW, TRADE]);
  });

  it("sends them in the end although no next one comes", async () => {
    const sim = await startVenue();
    expect(await after(sim, { kind: "reorder", count: 3, ms: 30 }, 3)).toEqual([NEW, ACCOUNT, TRADE]);
  });

  it("sends them late", async () => {
    const sim = await startVenue();
    expect(await after(sim, { kind: "late", ms: 30 }, 3)).toEqual([ACCOUNT, TRADE, NEW]);
  });

  it("meets only the events and the symbol that it names", async () => {
    const sim = await startVenue();
    const named = { kind: "drop", event: "ACCOUNT_UPDATE", symbol: "BTCUSDT", count: 2 };
    const listener = await listen(sim);
    await fault(sim, named);
    await trade(sim, "SOLUSDT", "40");
    await trade(sim, "BTCUSDT", "0.05");
    expect((await listener.take(5)).map(kindOf)).toEqual([NEW, ACCOUNT, TRADE, NEW, TRADE]);
    const pending = await fetch(`${sim.url}/sim/stream-faults`);
    expect(await pending.json()).toEqual([expect.objectContaining({ ...named, count: 1 })]);
  });

  it("leaves an event that it spares by chance to the next fault", () => {
    const draws = [0.9, 0.2, 0.1];
    const faults = new DeliveryFaults(() => draws.shift() ?? 0);
    for (const kind of ["drop", "double"] as const) faults.add({ kind, count: 9, ms: 0, chance: 0.5 });
    const event = { type: "ORDER_TRADE_UPDATE", json: "{}" } as const;
    expect([faults.take(event)?.kind, faults.take(event)?.kind]).toEqual(["double", "drop"]);
  });

  it("meets them by chance, in the same way for the same seed", async () => {
    const met = async (seed: number) => {
      const sim = await startVenue({ seed });
      const listener = await listen(sim, ORDERS);
      await fault(sim, { kind: "drop", chance: 0.5, count: 1_000 });
      for (let i = 0; i < 20; i += 1) await trade(sim, "BTCUSDT", i % 2 === 0 ? "0.05" : "0.06");
      await fetch(`${sim.url}/sim/stream-faults`, { method: "DELETE" });
      await trade(sim, "XRPUSDT", "0");
      const events = await listener.until(({ o }) => o?.["s"] === "XRPUSDT" && o["x"] === "TRADE");
      return events.map(({ o }) => `${String(o?.["x"])} ${String(o?.["c"])}`);
    };
    const first = await met(5);
    expect(first.length).toBeGreaterThan(2);
    expect(first.length).toBeLessThan(42);
    expect(await met(5)).toEqual(first);
  });
});

describe("a fault of the connections", () => {
  it("leaves sockets open and silent, without an answer to pings, and new ones work", async () => {
    const sim = await startVenue();
    const silent = await listen(sim);
    const pongs: unknown[] = [];
    silent.socket.on("pong", (data) => pongs.push(data));
    await fault(sim, { kind: "silent" });
    const next = await listen(sim);
    silent.socket.ping();
    await trade(sim, "BTCUSDT", "0.05");
    await next.take(3);
    // The end of a connection arrives after all that was sent on it.
    const closed = once(silent.socket, "close");
    await fault(sim, { kind: "disconnect" });
    await closed;
    expect([silent.texts, pongs]).toEqual([[], []]);
  });

  it("makes new sockets silent too, for as long as it lasts", async () => {
    const sim = await startVenue();
    await fault(sim, { kind: "silent", ms: 60_000 });
    const silent = await listen(sim);
    await fetch(`${sim.url}/sim/stream-faults`, { method: "DELETE" });
    const working = await listen(sim);
    await trade(sim, "BTCUSDT", "0.05");
    await working.take(3);
    expect(silent.texts).toEqual([]);
  });

  it("cuts sockets off, and refuses new ones for as long as it lasts", async () => {
    const sim = await startVenue();
    const { socket } = await listen(sim);
    const closed = once(socket, "close");
    await fault(sim, { kind: "disconnect", ms: 60_000 });
    expect(((await closed) as [number])[0]).toBe(1006);
    const listenKey = await listenKeyOf(sim);
    const refused = new WebSocket(`${sim.url.replace("http", "ws")}/private/ws?listenKey=${listenKey}`);
    expect(((await once(refused, "error")) as [Error])[0].message).toContain("503");
    await fault(sim, { kind: "disconnect", ms: 30 });
    await vi.waitUntil(() => listen(sim).catch(() => false), { interval: 10 });
  });

  it("ends the key, and can leave its sockets open and without events", async () => {
    const sim = await startVenue();
    const old = await listen(sim);
    await fault(sim, { kind: "expire_key", closes: false });
    expect(await listenKeyRequest(sim, "PUT")).toMatchObject({ status: 400, body: { code: -1125 } });
    const next = await listen(sim);
    await trade(sim, "BTCUSDT", "0.05");
    await next.take(3);
    old.socket.ping();
    await once(old.socket, "pong");
    expect(old.texts.map((text) => (JSON.parse(text) as { e: string }).e)).toEqual(["listenKeyExpired"]);
  });
});
