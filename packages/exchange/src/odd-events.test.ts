/** Whatever a field contains, an event is read or reported: it never throws, and no fill is passed over. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { readStreamMessage } from "./stream-events.ts";

const AT = 1_795_692_523_301;
const FILL = {
  s: "ETHUSDT",
  c: "qp-0123456789abcdef-1",
  S: "BUY",
  q: "1",
  ap: "3001.2",
  x: "TRADE",
  X: "FILLED",
  i: 77,
  l: "0.5",
  z: "1",
  L: "3001",
  t: 901,
  R: true,
};
const POSITION = { s: "ETHUSDT", pa: "-0.5", ep: "3002.1", up: "-0.4", ps: "BOTH" };

const odd = fc.oneof(
  fc.constantFrom(
    null,
    undefined,
    "",
    "0",
    0,
    -1,
    "-1",
    "1e3",
    "0E-8",
    "NaN",
    "null",
    " 1",
    "9".repeat(30),
    true,
  ),
  fc.json().map((text) => JSON.parse(text) as unknown),
);
const oddly = (fields: object) =>
  fc
    .record(Object.fromEntries(Object.keys(fields).map((name) => [name, odd])), { requiredKeys: [] })
    .map((over): object => ({ ...fields, ...over }));

it("reads or reports any order event", () => {
  fc.assert(
    fc.property(oddly(FILL), odd, odd, fc.boolean(), (o, E, T, keepsTimes) => {
      const times = keepsTimes ? { E: AT, T: AT } : { E, T };
      const message = readStreamMessage(JSON.stringify({ e: "ORDER_TRADE_UPDATE", ...times, o }));
      expect(["order", "unreadable"]).toContain(message.kind);
      if (message.kind !== "order") return;
      const { event } = message;
      // The parser keeps a number as its text.
      expect(event.symbol).toBe(String((o as { s: unknown }).s));
      expect(event.orderId).toMatch(/^\d+$/);
      expect(event.executedQty).toMatch(/^-?\d+(\.\d+)?$/);
      // Liquidations may be announced before they fill.
      const isFilled = /^\d+$/.test(event.fill?.tradeId ?? "") && Number(event.fill?.qty) > 0;
      expect(isFilled || event.executionType !== "TRADE").toBe(true);
    }),
  );
});

it("reads or reports each position of any account event", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(oddly(POSITION), odd), { maxLength: 5 }), (P) => {
      const message = readStreamMessage(
        JSON.stringify({ e: "ACCOUNT_UPDATE", E: AT, T: AT, a: { m: "ORDER", P } }),
      );
      if (message.kind !== "account") throw new Error(message.kind);
      const told = message.event.positions.length + message.unreadable.length;
      expect(told).toBe(P.length);
    }),
  );
});

it("takes any text", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(["ignored", "unreadable"]).toContain(readStreamMessage(text).kind);
    }),
  );
});
