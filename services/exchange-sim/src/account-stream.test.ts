/** The client's account stream against the simulator's, over a real socket. */
import {
  type AccountStream,
  type AccountStreamEvents,
  createAccountStream,
  parseVenue,
} from "@quantum/exchange";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  connect,
  control,
  exchange,
  placed,
  place,
  POLL,
  simUrl,
  useExchangeSim,
} from "./adapter.fixture.ts";

useExchangeSim();

type Told = { [E in keyof AccountStreamEvents]: [E, ...AccountStreamEvents[E]] }[keyof AccountStreamEvents];

let stream: AccountStream | undefined;
afterEach(() => stream?.stop());

async function up() {
  const opened = createAccountStream({
    venue: parseVenue(simUrl()),
    exchange,
    timing: { pingEveryMs: 20, silenceMs: 600, firstPauseMs: 5, longestPauseMs: 20 },
  });
  stream = opened;
  const told: Told[] = [];
  for (const name of ["order", "account", "up", "down", "gap", "unreadable", "failed"] as const)
    opened.on(name, (...args: unknown[]) => void told.push([name, ...args] as Told));
  opened.start();
  await vi.waitFor(() => expect(opened.isUp).toBe(true), POLL);
  return { stream: opened, told, names: () => told.map(([name]) => name) };
}
const fault = (of: object) => control("POST", "/sim/stream-faults", of);

describe("an order's events", () => {
  it("say what its answers and the account's trades and positions say", async () => {
    const { told, names } = await up();
    const order = await placed("BTCUSDT", { quantity: "0.020" });
    await vi.waitFor(() => expect(names()).toContain("account"), POLL);
    const fills = () => told.flatMap(([name, event]) => (name === "order" && event.fill ? [event] : []));
    await vi.waitFor(() => expect(Number(fills().at(-1)?.executedQty)).toBe(0.02), POLL);

    const last = fills().at(-1);
    expect(last).toMatchObject({
      symbol: "BTCUSDT",
      orderId: order.orderId,
      clientOrderId: order.clientOrderId,
    });
    expect(last).toMatchObject({ side: "SELL", reduceOnly: true, status: "FILLED", origin: "ours" });
    const trades = await exchange.trades("BTCUSDT", { orderId: order.orderId });
    expect(fills().map(({ fill }) => fill?.tradeId)).toEqual(trades.map(({ id }) => id));
    expect(fills().map(({ fill }) => Number(fill?.qty))).toEqual(trades.map(({ qty }) => Number(qty)));
    expect(fills().map(({ timeMs }) => timeMs)).toEqual(trades.map(({ timeMs }) => timeMs));

    const accounts = told.flatMap(([name, event]) => (name === "account" ? [event] : []));
    const { rows } = await exchange.positions("BTCUSDT");
    const after = accounts.at(-1);
    expect(Number(after?.positions[0]?.positionAmt)).toBe(Number(rows[0]?.positionAmt));
    // The two events of one execution are paired by it.
    expect(after?.timeMs).toBe(last?.timeMs);
    expect(names().filter((name) => name === "gap" || name === "unreadable")).toEqual([]);
  });
});

describe("a fault of the stream", () => {
  it("silent: the connection is given up, and opened again when the venue speaks", async () => {
    const { names, stream } = await up();
    await fault({ kind: "silent", ms: 3_000 });
    await vi.waitFor(() => expect(stream.isUp).toBe(false), POLL);
    await vi.waitFor(() => expect(names().filter((name) => name === "up")).toHaveLength(2), POLL);
  });

  it("disconnect: the connection is opened again", async () => {
    const { names } = await up();
    await fault({ kind: "disconnect", ms: 50 });
    await vi.waitFor(() => expect(names().filter((name) => name === "up")).toHaveLength(2), POLL);
  });

  it.each([true, false])("an expired key, sockets closed: %s: a gap, and a new key", async (closes) => {
    const { told, names } = await up();
    await fault({ kind: "expire_key", closes });
    await vi.waitFor(() => expect(names().filter((name) => name === "up")).toHaveLength(2), POLL);
    expect(told).toContainEqual(["gap", { reason: "key_expired", symbol: undefined }]);
    await place();
    await vi.waitFor(() => expect(names()).toContain("order"), POLL);
  });

  it("late and overtaken: a gap, and the event all the same", async () => {
    const { told, names } = await up();
    await fault({ kind: "late", ms: 1_500, event: "ORDER_TRADE_UPDATE" });
    const order = await placed("BTCUSDT");
    await placed("BTCUSDT");
    await vi.waitFor(() => expect(names().slice(-2)).toEqual(["gap", "order"]), POLL);
    expect(told.slice(-2)).toMatchObject([
      ["gap", { reason: "time_back" }],
      ["order", { orderId: order.orderId, executionType: "NEW" }],
    ]);
  });
});

it("leaves the account's key to others when it stops", async () => {
  const { stream } = await up();
  const key = await exchange.listenKey();
  await stream.stop();
  await expect(connect().extendListenKey(key)).resolves.toBe(true);
});
