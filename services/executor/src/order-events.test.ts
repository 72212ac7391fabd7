/** An order is settled by the first word that it is closed. The test sends the stream's events, in any order. */
import type { OrderEvent } from "@quantum/exchange";
import type { SimOrder } from "@quantum/exchange-sim";
import { patienceMs } from "@quantum/harness";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scriptedStream } from "./exchange.fixture.ts";
import { type Rig, type Spent, startRig } from "./rig.fixture.ts";

const QUERY = "GET /fapi/v1/order";
/** An order that stays open: only an event ends it. */
const ACKNOWLEDGED = { kind: "late_ack", ms: 600_000 } as const;

const stream = scriptedStream(true);
/** Called with the venue's id of an order, once its answer is known. */
const onAnswered = new Map<string, (orderId: string) => void>();
let rig: Rig;
let executor: Awaited<ReturnType<Rig["executor"]>>;

beforeAll(async () => {
  rig = await startRig();
  executor = await rig.executor({
    stream,
    // Longer than any wait here: no answer comes before its test has said its events.
    ...{ timeoutMs: 20_000, recvWindowMs: 30_000 },
    through: (exchange) => ({
      ...exchange,
      async placeReduceOnlyMarket(request) {
        const placement = await exchange.placeReduceOnlyMarket(request);
        if (placement.outcome === "acknowledged") onAnswered.get(request.clientOrderId)?.(placement.orderId);
        return placement;
      },
    }),
  });
});
afterAll(async () => {
  await executor.stop();
  await rig.stop();
});

type Placed = Pick<SimOrder, "symbol" | "orderId" | "clientOrderId" | "side" | "origQty">;

/** The order of a plan, once the venue has it. */
async function placed(entry: Spent): Promise<SimOrder> {
  const one = async () => (await rig.ordersOf(entry))[0];
  await expect.poll(one, { timeout: 10_000 }).toBeDefined();
  return (await one()) as SimOrder;
}

function eventOf(order: Placed, over: Partial<OrderEvent> = {}): OrderEvent {
  const { symbol, orderId, clientOrderId, side, origQty } = order;
  return {
    ...{ symbol, orderId, clientOrderId, side, origQty },
    ...{
      reduceOnly: true,
      executionType: "TRADE",
      status: "FILLED",
      executedQty: origQty,
      avgPrice: "2000.5",
    },
    ...{ fill: undefined, eventTimeMs: Date.now(), timeMs: Date.now(), origin: "ours", ...over },
  };
}
const say = (...events: OrderEvent[]) => events.forEach((event) => stream.emit("order", event));

/** What is asked and doubted between the entry and its settlement by an event. */
async function settledByEvent(entry: Spent, sayIt: () => Promise<SimOrder>) {
  const doubts: string[] = [];
  executor.events.on("doubted", ({ planId }) => void doubts.push(planId));
  const queries = await rig.requests(QUERY);
  const settled = executor.next("settled", entry.plan_id);
  const entryId = await rig.publish(entry);
  const order = await sayIt();
  expect(await settled).toMatchObject({ by: "event", outcome: "EXECUTED" });
  const result = await rig.expectEnded(entry, entryId, "EXECUTED", "");
  expect(result).toMatchObject({ order_id: order.orderId, executed_qty: "0.010", avg_price: "2000.5" });
  return { queries: (await rig.requests(QUERY)) - queries, isDoubted: doubts.includes(entry.plan_id) };
}
const AT_ONCE = { queries: 0, isDoubted: false };

describe("an order", () => {
  it("whose answer never comes is settled by its event, without a doubt or a query", async () => {
    const entry = await rig.spend({ symbol: rig.freshSymbol() });
    await rig.fault({ kind: "timeout_after", symbol: entry.symbol });
    const passed = await settledByEvent(entry, async () => {
      const order = await placed(entry);
      say(eventOf(order));
      return order;
    });
    expect(passed).toEqual(AT_ONCE);
  });

  it("that was only acknowledged is settled by its event, without a doubt or a query", async () => {
    const entry = await spendAcknowledged();
    const { promise: acknowledged, resolve } = Promise.withResolvers<string>();
    onAnswered.set(`qp-${entry.plan_id}-1`, (orderId) => {
      const order = { symbol: entry.symbol, orderId, clientOrderId: `qp-${entry.plan_id}-1` };
      setImmediate(() => say(eventOf({ ...order, side: "SELL", origQty: "0.010" })));
      resolve(orderId);
    });
    const passed = await settledByEvent(entry, async () => {
      await acknowledged;
      return placed(entry);
    });
    expect(passed).toEqual(AT_ONCE);
  });

  it("in doubt, because its event did not come in time, is settled by it at once", async () => {
    const { entry, entryId, order } = await doubted();
    const settled = executor.next("settled", entry.plan_id);
    say(eventOf(order));
    expect(await settled).toMatchObject({ by: "event" });
    await rig.expectEnded(entry, entryId, "EXECUTED", "");
    // Nothing at all had been told of an order that the venue had taken.
    await expect.poll(() => stream.distrusted, { timeout: 10_000 }).toBe(1);
  });
});

describe("an event", () => {
  it("that says that the order is open settles nothing; what was filled when it closed does", async () => {
    const entry = await rig.spend({ symbol: rig.freshSymbol() });
    await rig.fault({ kind: "timeout_after", symbol: entry.symbol });
    const entryId = await rig.publish(entry);
    const order = await placed(entry);
    const partly = eventOf(order, { status: "PARTIALLY_FILLED", executedQty: "0.004" });
    say(eventOf(order, { executionType: "NEW", status: "NEW", executedQty: "0" }), partly);
    await executor.orderEvents.idle();
    expect(await rig.results(entry.plan_id)).toEqual([]);
    const ended = executor.ended(entry);
    say(eventOf(order, { executionType: "EXPIRED", status: "EXPIRED", executedQty: "0.004" }));
    await ended;
    const result = await rig.expectEnded(entry, entryId, "EXECUTED", "");
    expect(result).toMatchObject({ executed_qty: "0.004", detail: "EXPIRED" });
  });

  it("that comes twice, and again once the order has ended, settles it once (I3)", async () => {
    const entry = await rig.spend({ symbol: rig.freshSymbol() });
    let settlements = 0;
    executor.events.on("settled", ({ planId }) => void (settlements += planId === entry.plan_id ? 1 : 0));
    await rig.fault({ kind: "timeout_after", symbol: entry.symbol });
    const ended = executor.ended(entry);
    const entryId = await rig.publish(entry);
    const order = await placed(entry);
    const partly = eventOf(order, { status: "PARTIALLY_FILLED", executedQty: "0.004" });
    say(eventOf(order), eventOf(order), partly);
    await ended;
    say(eventOf(order), partly);
    await executor.orderEvents.idle();
    await rig.expectEnded(entry, entryId, "EXECUTED", "");
    expect(settlements).toBe(1);
  });

  it("of another order settles nothing: another symbol's, another attempt's, or not ours", async () => {
    const { entry, entryId, order } = await doubted();
    const others = [
      { symbol: "OTHERUSDT" },
      { clientOrderId: `qp-${entry.plan_id}-2` },
      { clientOrderId: "web_1", origin: "other" as const },
      { clientOrderId: "autoclose-1", origin: "liquidation" as const },
    ];
    say(...others.map((over) => eventOf(order, over)));
    await executor.orderEvents.idle();
    expect(await rig.results(entry.plan_id)).toEqual([]);
    const ended = executor.ended(entry);
    say(eventOf(order));
    await ended;
    await rig.expectEnded(entry, entryId, "EXECUTED", "");
  });

  it("of another order does not settle one that waits for its answer", async () => {
    const entries = [];
    for (const symbol of [rig.freshSymbol(), rig.freshSymbol()]) {
      await rig.fault({ kind: "timeout_after", symbol });
      entries.push(await rig.spend({ symbol }));
      await rig.publish(entries.at(-1) as Spent);
    }
    const [first, second] = (await Promise.all(entries.map(placed))) as [SimOrder, SimOrder];
    const settled: string[] = [];
    executor.events.on("settled", ({ planId, orderId }) => void settled.push(`${planId} ${orderId}`));
    const outcomes = [second, first].map(
      ({ orderId, clientOrderId }) => `${clientOrderId.split("-")[1]} ${orderId}`,
    );
    say(eventOf(second, { symbol: first.symbol }), eventOf(second));
    await expect.poll(() => settled.length).toBe(1);
    say(eventOf(first));
    await expect.poll(() => settled.length).toBe(2);
    expect(settled).toEqual(outcomes);
  });

  it("without a price: the order tells it", async () => {
    const entry = await rig.spend({ symbol: rig.freshSymbol() });
    await rig.fault({ kind: "timeout_after", symbol: entry.symbol });
    const settled = executor.next("settled", entry.plan_id);
    await rig.publish(entry);
    const order = await placed(entry);
    say(eventOf(order, { avgPrice: "" }));
    expect(await settled).toMatchObject({ by: "event", avgPrice: order.avgPrice });
  });

  it("of an order that ended by absence corrects its result", async () => {
    const entry = await rig.spend({ symbol: rig.freshSymbol() });
    await rig.fault({ kind: "503_before", symbol: entry.symbol });
    entry.valid_until_ms = String((await rig.redisMs()) + patienceMs(1_500));
    const ended = executor.next("settled", entry.plan_id);
    const entryId = await rig.publish(entry);
    expect(await ended).toMatchObject({ by: "query", reason: "not_placed_by_evidence" });
    await rig.expectEnded(entry, entryId, "NOT_PLACED", "not_placed_by_evidence");
    await rig.fault({ kind: "error", code: -2013, path: QUERY, symbol: entry.symbol, count: 100 });
    await rig.send(entry);
    const corrected = executor.next("corrected", entry.plan_id);
    say(eventOf(await placed(entry)));
    expect(await corrected).toMatchObject({ outcome: "EXECUTED", executedQty: "0.010" });
  });
});

describe("an executor that stands by", () => {
  it("leaves it to the owner of the orders", async () => {
    const { entry, order } = await doubted();
    const stream = scriptedStream(true);
    const standby = await rig.executor({ stream, consumer: "standby", ownerSinceMs: undefined });
    stream.emit("order", eventOf(order));
    await standby.orderEvents.idle();
    expect(await rig.results(entry.plan_id)).toEqual([]);
    await standby.stop();
  });
});

async function spendAcknowledged(): Promise<Spent> {
  const entry = await rig.spend({ symbol: rig.freshSymbol() });
  await rig.fault({ ...ACKNOWLEDGED, symbol: entry.symbol });
  return entry;
}

/** An order in doubt that stays open at the venue. */
async function doubted(): Promise<{ entry: Spent; entryId: string; order: SimOrder }> {
  const entry = await spendAcknowledged();
  const doubt = executor.next("doubted", entry.plan_id);
  const entryId = await rig.publish(entry);
  expect(await doubt).toMatchObject({ doubt: "not_closed_yet" });
  return { entry, entryId, order: await placed(entry) };
}
