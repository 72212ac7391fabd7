import { expect, it } from "vitest";
import { behindSec, bookedDelaysMs, knownAgainSec, type Look } from "./venue-watch.ts";

const look = (of: Partial<Look>): Look => ({
  atMs: 0,
  knownSec: 0,
  pendingMs: 0,
  weightShare: 0,
  sockets: 2,
  ...of,
});

it("a fill is booked by the first ledger that includes its id, however long the ids are", () => {
  const stores = new Map([
    [
      "A",
      [
        { atMs: 1_010, lastTradeId: "9007199254740993" },
        { atMs: 2_000, lastTradeId: "9007199254740996" },
      ],
    ],
  ]);
  const trade = (id: string, timeMs: number, symbol = "A") => ({ symbol, id, timeMs });
  const trades = [
    trade("9007199254740993", 1_000),
    trade("9007199254740994", 1_500),
    trade("9007199254740997", 2_500),
    trade("1", 2_900, "B"),
  ];
  expect(bookedDelaysMs(trades, stores, 3_000)).toEqual([10, 500, 500, 100]);
});

it("catching up ends with the last look that is behind, not with the first that is not", () => {
  const looks = [
    look({ atMs: 900, pendingMs: 9_000 }),
    look({ atMs: 1_500 }),
    look({ atMs: 3_000, pendingMs: 2_000 }),
    look({ atMs: 4_000 }),
  ];
  const isBehind = ({ pendingMs }: Look) => pendingMs > 1_000;
  expect(behindSec(looks, 1_000, isBehind)).toBe(2);
  expect(behindSec(looks, 3_500, isBehind)).toBe(0);
});

it("positions are known again only as of a time after the silence began", () => {
  const looks = [look({ atMs: 10_500, knownSec: 10 }), look({ atMs: 18_000, knownSec: 17 })];
  expect(knownAgainSec(looks, 10_000)).toBe(8);
  expect(knownAgainSec(looks, 17_500)).toBe(Infinity);
});
