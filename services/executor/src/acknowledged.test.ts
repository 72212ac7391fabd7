/** Orders that the exchange only acknowledges, or answers without their price. */
import type { Exchange, Placement } from "@quantum/exchange";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Rig, startRig } from "./rig.fixture.ts";

type Answered = Extract<Placement, { outcome: "answered" }>;

let rig: Rig;
beforeAll(async () => void (rig = await startRig({ orderAnswer: "result" })));
afterAll(() => rig.stop());

/** What the executor makes of an order that fills, seen through a venue that says less. */
async function ended(say: (answer: Answered) => Placement, see: (exchange: Exchange) => Partial<Exchange>) {
  const executor = await rig.executor({
    through: (exchange) => ({
      ...exchange,
      async placeReduceOnlyMarket(request) {
        const placement = await exchange.placeReduceOnlyMarket(request);
        return placement.outcome === "answered" ? say(placement) : placement;
      },
      ...see(exchange),
    }),
  });
  const doubts: string[] = [];
  executor.events.on("doubted", ({ doubt }) => doubts.push(doubt));
  const entry = await rig.spend({ symbol: rig.freshSymbol() });
  const settled = executor.ended(entry);
  const entryId = await rig.publish(entry);
  await settled;
  await executor.stop();
  const result = await rig.expectEnded(entry, entryId, "EXECUTED", "");
  const [order, ...more] = await rig.ordersOf(entry);
  expect(more).toEqual([]);
  return { order, result, doubts };
}

const acknowledged = ({ order: { orderId } }: Answered): Placement => ({
  outcome: "acknowledged",
  orderId,
  status: "NEW",
});
const withoutPrice = ({ order }: Answered): Placement => ({
  outcome: "answered",
  order: { ...order, avgPrice: "" },
});

describe("an acknowledged order", () => {
  it("is queried at once, and settled without a doubt", async () => {
    const { order, result, doubts } = await ended(acknowledged, () => ({}));
    expect(result).toMatchObject({
      order_id: order?.orderId,
      executed_qty: "0.010",
      avg_price: order?.avgPrice,
    });
    expect(doubts).toEqual([]);
  });

  it("is in doubt if that query does not find it yet, and is settled by the next", async () => {
    const { result, doubts } = await ended(acknowledged, () => ({ orderById: async () => undefined }));
    expect(result).toMatchObject({ executed_qty: "0.010" });
    expect(doubts).toEqual(["not_closed_yet"]);
  });
});

describe("an order that was answered without its price", () => {
  it.each<[string, (exchange: Exchange) => Partial<Exchange>]>([
    ["the order", () => ({})],
    ["its trades, if the order lacks it too", () => ({ orderById: async () => undefined })],
  ])("is settled with that of %s", async (_, see) => {
    const { order, result, doubts } = await ended(withoutPrice, see);
    expect(result).toMatchObject({ order_id: order?.orderId, executed_qty: "0.010" });
    // Computed from trades, it has no trailing zeros.
    expect(Number(result?.avg_price)).toBe(Number(order?.avgPrice));
    expect(doubts).toEqual([]);
  });

  it("is settled without one if nothing tells it", async () => {
    const see = () => ({ orderById: async () => undefined, trades: async () => [] });
    const { result, doubts } = await ended(withoutPrice, see);
    expect(result).toMatchObject({ executed_qty: "0.010", avg_price: "" });
    expect(doubts).toEqual([]);
  });
});
