/** Traces in the account of an order that queries deny. Pure. */
import type { Trade } from "@quantum/exchange";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { judgeAccount } from "./account.ts";

const OURS = "qp-0123456789abcdef-1";
const order = { clientOrderId: OURS, side: "SELL" as const, quantity: "0.046", positionAmt: "0.062" };
const trade = (orderId: string, side: Trade["side"], qty: string): Trade => ({
  id: orderId,
  orderId,
  symbol: "BTCUSDT",
  side,
  price: "1",
  qty,
  timeMs: 1,
});
const listed = (...ids: string[]) => ids.map((orderId) => ({ orderId, clientOrderId: `web_${orderId}` }));

describe("an account", () => {
  it("is silent without trades, in the position that the permits spoke of", () => {
    expect(judgeAccount({ positionAmt: "0.0620", trades: [], orders: [] }, order)).toEqual({
      kind: "silent",
    });
  });

  it("lists the order by its client order id", () => {
    const orders = [...listed("6"), { orderId: "7", clientOrderId: OURS }];
    const account = { positionAmt: "0.016", trades: [trade("7", "SELL", "0.046")], orders };
    expect(judgeAccount(account, order)).toEqual({ kind: "found", orderId: "7" });
  });

  it("is moved by a trade of an order that no list and no query knows", () => {
    const account = { positionAmt: "0.062", trades: [trade("7", "SELL", "0.046")], orders: listed("6") };
    expect(judgeAccount(account, order)).toMatchObject({
      kind: "moved",
      why: expect.stringMatching(/order 7, which is unknown/),
    });
  });

  it.each(["0.016", "0.061", "0.017"])(
    "is moved by a position of %s that no trade explains",
    (positionAmt) => {
      const account = { positionAmt, trades: [trade("6", "BUY", "0.5")], orders: listed("6") };
      expect(judgeAccount(account, order)).toMatchObject({
        kind: "moved",
        why: expect.stringMatching(/the position went/),
      });
    },
  );

  it("is silent where the order cannot be what moved the position: too far, or the other way", () => {
    for (const positionAmt of ["0.015", "0.063", "-0.062"])
      expect(judgeAccount({ positionAmt, trades: [], orders: [] }, order)).toEqual({ kind: "silent" });
  });

  it("is silent where the claim did not say what the position was", () => {
    const account = { positionAmt: "0.016", trades: [], orders: [] };
    expect(judgeAccount(account, { ...order, positionAmt: undefined })).toEqual({ kind: "silent" });
  });

  it("is silent about others' trades, whichever of them came between the permits and the position", () => {
    const sides = fc.constantFrom<Trade["side"]>("BUY", "SELL");
    const trades = fc.array(fc.tuple(sides, fc.integer({ min: 1, max: 500 })), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(trades, fc.nat(), fc.nat(), (made, from, to) => {
        const list = made.map(([side, mils], i) => trade(String(i), side, `${mils / 1000}`));
        const [start, end] = [from % (list.length + 1), to % (list.length + 1)].toSorted((a, b) => a - b);
        const moved = made
          .slice(start, end)
          .reduce((sum, [side, mils]) => sum + (side === "BUY" ? mils : -mils), 0);
        const positionAmt = ((62 + moved) / 1000).toFixed(3);
        const orders = listed(...list.map(({ orderId }) => orderId));
        expect(judgeAccount({ positionAmt, trades: list, orders }, order)).toEqual({ kind: "silent" });
      }),
    );
  });
});
