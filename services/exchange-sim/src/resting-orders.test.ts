/** Orders that wait at the venue, their cancellation, and what they do to reduce-only orders, through the adapter. */
import { opens, reduces } from "@quantum/exchange";
import { describe, expect, it } from "vitest";
import {
  connect,
  control,
  exchange,
  fault,
  place,
  placed,
  state,
  useExchangeSim,
} from "./adapter.fixture.ts";

useExchangeSim();

const SYMBOL = "BTCUSDT";
/** The position of the default market. */
const POSITION = "0.062";

async function rest(over: object = {}): Promise<string> {
  const order = {
    symbol: SYMBOL,
    side: "SELL",
    type: "LIMIT",
    quantity: POSITION,
    reduceOnly: true,
    ...over,
  };
  return ((await control("POST", "/sim/orders", order)) as { orderId: string }).orderId;
}
async function restAlgo(over: object = {}): Promise<string> {
  const order = { symbol: SYMBOL, side: "SELL", type: "STOP_MARKET", reduceOnly: true, ...over };
  return ((await control("POST", "/sim/orders", order)) as { algoId: string }).algoId;
}
const openIds = async () => (await exchange.openOrders(SYMBOL)).rows.map(({ orderId }) => orderId);
const algoIds = async () => (await exchange.openAlgoOrders(SYMBOL)).rows.map(({ algoId }) => algoId);
const positionAmt = async () => (await exchange.positions(SYMBOL)).rows[0]?.positionAmt ?? "0";
const withoutStrategy = () => control("POST", "/sim/strategy", { enabled: false });

describe("an order that waits", () => {
  it("is listed with its type and effect, and is cancelled once", async () => {
    const [entry, take] = [await rest({ side: "BUY", reduceOnly: false, price: "90000" }), await rest()];
    const { rows } = await exchange.openOrders();
    expect(rows.map((row) => [row.orderId, row.type, reduces(row), opens(row)])).toEqual([
      [entry, "LIMIT", false, true],
      [take, "LIMIT", true, false],
    ]);
    expect(await exchange.cancelOrder(SYMBOL, entry)).toEqual({ outcome: "cancelled" });
    expect(await openIds()).toEqual([take]);
    expect(await exchange.cancelOrder(SYMBOL, entry)).toEqual({ outcome: "gone" });
    expect(await exchange.orderById(SYMBOL, entry)).toMatchObject({
      status: "CANCELED",
      executedQty: "0.000",
    });
    expect(await positionAmt()).toBe(POSITION);
  });

  it("is filled if the market meets it, and cannot be cancelled then", async () => {
    const entry = await rest({ side: "BUY", quantity: "0.010", reduceOnly: false, price: "90000" });
    await control("POST", "/sim/fills", { symbol: SYMBOL, orderId: entry });
    expect(await exchange.cancelOrder(SYMBOL, entry)).toEqual({ outcome: "gone" });
    expect(await exchange.orderById(SYMBOL, entry)).toMatchObject({ status: "FILLED", avgPrice: "90000.00" });
    expect(await positionAmt()).toBe("0.072");
  });

  it("that was filled just before its cancellation has changed the position", async () => {
    const entry = await rest({ side: "BUY", quantity: "0.010", reduceOnly: false });
    await fault({ kind: "met_first", path: "DELETE /fapi/v1/order", symbol: SYMBOL });
    expect(await exchange.cancelOrder(SYMBOL, entry)).toEqual({ outcome: "gone" });
    expect(await positionAmt()).toBe("0.072");
  });

  it("is out of the book although the answer to its cancellation is lost", async () => {
    const entry = await rest({ reduceOnly: false });
    await fault({ kind: "503_after", path: "DELETE /fapi/v1/order" });
    expect(await exchange.cancelOrder(SYMBOL, entry)).toMatchObject({ outcome: "failed" });
    expect(await exchange.cancelOrder(SYMBOL, entry)).toEqual({ outcome: "gone" });
  });
});

describe("reduce-only orders", () => {
  it("are refused while others reduce the whole position, and accepted once those are cancelled", async () => {
    await withoutStrategy();
    const take = await rest();
    expect(await place(SYMBOL)).toMatchObject({ outcome: "rejected", code: -4118 });
    await exchange.cancelOrder(SYMBOL, take);
    expect(await placed(SYMBOL, { quantity: POSITION })).toMatchObject({ executedQty: POSITION });
    expect(await place(SYMBOL)).toMatchObject({ outcome: "rejected", code: -2022 });
  });

  it("are cut to what others leave of the position", async () => {
    await rest({ quantity: "0.050" });
    expect(await placed(SYMBOL, { quantity: POSITION })).toMatchObject({ executedQty: "0.012" });
  });

  it("are not held by stops, which lock nothing", async () => {
    await restAlgo();
    expect(await placed(SYMBOL, { quantity: POSITION })).toMatchObject({ executedQty: POSITION });
  });

  it.each([-2022, -4118, -4131])(
    "of one symbol are refused with %i by command, so many times",
    async (code) => {
      await fault({ kind: "error", code, symbol: SYMBOL, count: 2 });
      expect(await place("SOLUSDT")).toMatchObject({ outcome: "answered" });
      for (let refused = 0; refused < 2; refused += 1)
        expect(await place(SYMBOL)).toMatchObject({ outcome: "rejected", code });
      expect(await place(SYMBOL)).toMatchObject({ outcome: "answered" });
    },
  );
});

describe("an algo order", () => {
  it("is listed apart from the book, and is cancelled once", async () => {
    const [stop, entry] = [await restAlgo(), await restAlgo({ reduceOnly: false, quantity: "0.010" })];
    expect(await openIds()).toEqual([]);
    const { rows } = await exchange.openAlgoOrders();
    expect(rows.map((row) => [row.algoId, row.closePosition, row.quantity, opens(row)])).toEqual([
      [stop, true, "0", false],
      [entry, false, "0.010", true],
    ]);
    expect((await exchange.openAlgoOrders("ETHUSDT")).rows).toEqual([]);
    expect(await exchange.cancelOrder(SYMBOL, entry)).toEqual({ outcome: "gone" });
    expect(await exchange.cancelAlgoOrder(SYMBOL, entry)).toEqual({ outcome: "cancelled" });
    expect(await exchange.cancelAlgoOrder(SYMBOL, entry)).toEqual({ outcome: "gone" });
    expect(await algoIds()).toEqual([stop]);
  });

  it("becomes an ordinary order when it triggers, also just before its cancellation", async () => {
    await withoutStrategy();
    const entry = await restAlgo({ side: "BUY", reduceOnly: false, quantity: "0.010" });
    await fault({ kind: "met_first", path: "DELETE /fapi/v1/algoOrder" });
    expect(await exchange.cancelAlgoOrder(SYMBOL, entry)).toEqual({ outcome: "gone" });
    expect(await positionAmt()).toBe("0.072");
    const stop = await restAlgo();
    await control("POST", "/sim/fills", { algoId: stop });
    expect(await positionAmt()).toBe("0");
    expect(await algoIds()).toEqual([]);
  });

  it("that only reduces is refused when it triggers without a position", async () => {
    await withoutStrategy();
    await control("POST", "/sim/positions", { symbol: SYMBOL, positionAmt: "0", traded: true });
    const stop = await restAlgo({ quantity: "0.010" });
    await control("POST", "/sim/fills", { algoId: stop });
    expect(await state()).toMatchObject({ algoOrders: [{ algoId: stop, status: "REJECTED" }] });
    expect(await positionAmt()).toBe("0");
  });
});

describe("a ban by command", () => {
  it("refuses every request until its end, and the adapter waits for that", async () => {
    await control("POST", "/sim/ban", { ms: 60_000 });
    expect(await place()).toMatchObject({ outcome: "retry_after" });
    expect(exchange.pause("requests")?.reason).toContain("banned until");
    expect(await exchange.as("exit").cancelOrder(SYMBOL, "1")).toMatchObject({ outcome: "failed" });
    await expect(connect().positions()).rejects.toMatchObject({ httpStatus: 418, code: -1003 });
    expect((await state()).requests).toEqual({ "POST /fapi/v1/order": 1, "GET /fapi/v3/positionRisk": 1 });
    await control("POST", "/sim/ban", { ms: 0 });
    expect((await connect().positions(SYMBOL)).rows).toHaveLength(1);
  });
});
