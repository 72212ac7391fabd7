/** lua/orders/hold through its typed wrapper. Replies that it shares with lua/orders/claim are tested there. */
import { describe, expect, it } from "vitest";
import {
  ATTEMPT,
  keys,
  orderHash,
  orders,
  pending,
  PLAN,
  redis,
  requestOf,
  resultCount,
  SYMBOL,
  unchanged,
  useRedis,
  VENUE_MS,
  WINDOW_MS,
} from "./order-scripts.fixture.ts";

useRedis();

describe("hold", () => {
  it("HELD: what may have been sent is recorded and queried, even late and under a halt", async () => {
    await redis.set(keys.killSwitch, "1");
    await redis.set(keys.disarm, "{}");
    const request = await requestOf({ validForMs: -60_000 });
    expect(await orders.hold(request)).toEqual({ kind: "held" });
    expect(await orderHash()).toMatchObject({
      state: "SENT",
      window_end_ms: String(VENUE_MS),
      question: "1",
    });
    expect(await redis.zrange(keys.unsettled(SYMBOL), 0, -1)).toEqual([PLAN]);
    expect([await resultCount(), await pending()]).toEqual([0, 1]);
    await unchanged(async () => expect(await orders.hold(request)).toEqual({ kind: "held" }));
  });

  it("HELD: an earlier send of unknown time may arrive until valid_until", async () => {
    await orders.hold(await requestOf({ validForMs: 60_000 }));
    expect(Number((await orderHash())["window_end_ms"])).toBeGreaterThan(VENUE_MS + WINDOW_MS);
  });

  it("HELD: after Redis's clock stepped back it may arrive for as long as it could when its permits were spent", async () => {
    const spentMs = Date.now() + 3_600_000;
    await redis.set(keys.spent(PLAN), `OK ${ATTEMPT} ${spentMs} 0.01`);
    const request = await requestOf();
    request.entry.valid_until_ms = spentMs + 3_000;
    await orders.hold(request);
    expect(await orderHash()).toMatchObject({ state: "SENT", window_end_ms: String(VENUE_MS + 3_000) });
  });

  it("is queried no longer than the exchange's longest window, however far the entry's end is", async () => {
    await orders.hold(await requestOf({ validForMs: 10 ** 12 }));
    expect(await orderHash()).toMatchObject({ window_end_ms: String(VENUE_MS + 60_000) });
  });

  it("HELD: what the caller cannot place but may have sent, since only the exchange can tell", async () => {
    const request = await requestOf({ refusal: "quantity_below_minimum" });
    expect(await orders.hold(request)).toEqual({ kind: "held" });
    expect(await orderHash()).toMatchObject({ state: "SENT" });
  });

  it("HELD: a question needs no mark of what was handed over, a send does", async () => {
    await redis.del(keys.spent(PLAN));
    await unchanged(async () => expect(await orders.hold(await requestOf())).toEqual({ kind: "unspent" }));
    await redis.hset(keys.handedOver, PLAN, JSON.stringify(["attempt", ATTEMPT]));
    await unchanged(async () => expect(await orders.claim(await requestOf())).toEqual({ kind: "unspent" }));
    expect(await orders.hold(await requestOf())).toEqual({ kind: "held" });
    expect(await orderHash()).toMatchObject({ state: "SENT", client_order_id: `qp-${PLAN}-1` });
  });
});
