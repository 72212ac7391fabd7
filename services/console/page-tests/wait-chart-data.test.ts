import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { WaitMinute } from "../src/api.ts";
import {
  classLabel,
  hourOf,
  levelOf,
  LEVELS,
  OTHER,
  placeOf,
  runsOf,
  stackOf,
  topReasons,
  usedClasses,
} from "../page/wait-chart-data.mjs";

const BOUNDS_MS = [10, 50, 200, 1_000];
const minute = (told: Partial<WaitMinute>): WaitMinute => ({
  startMs: 0,
  permitted: [0, 0, 0, 0, 0],
  blocked: [0, 0, 0, 0, 0],
  p50Ms: undefined,
  p99Ms: undefined,
  reasons: {},
  ...told,
});

describe("a cell", () => {
  it("is empty for none, darkest for the most, and one plan is seen beside a million", () => {
    expect(levelOf(0, 1_000_000)).toBe(0);
    expect(levelOf(1, 1_000_000)).toBe(1);
    expect(levelOf(1_000_000, 1_000_000)).toBe(LEVELS);
    expect(levelOf(1, 1)).toBe(LEVELS);
  });

  it("is never lighter for more", () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.nat(1_000), fc.integer({ min: 1_000, max: 9_999 }), (a, b, most) => {
        expect(levelOf(Math.min(a, b), most)).toBeLessThanOrEqual(levelOf(Math.max(a, b), most));
      }),
    );
  });
});

describe("the classes of waits", () => {
  it("are labelled by their upper bound", () => {
    expect([0, 3, 4].map((index) => classLabel(BOUNDS_MS, index))).toEqual(["≤ 10 ms", "≤ 1 s", "> 1 s"]);
  });

  it("are drawn from the first to the last that was used", () => {
    const history = {
      boundsMs: BOUNDS_MS,
      minutes: [minute({ permitted: [0, 3, 0, 0, 0] }), minute({ blocked: [0, 0, 0, 1, 0] })],
    };
    expect(usedClasses(history)).toEqual({ from: 1, to: 4 });
    expect(usedClasses({ boundsMs: BOUNDS_MS, minutes: [minute({})] })).toEqual({ from: 0, to: 5 });
  });

  it("place a wait between its bounds", () => {
    expect([5, 10, 30, 1_000, 5_000].map((ms) => placeOf(BOUNDS_MS, ms))).toEqual([0.5, 1, 1.5, 4, 4.5]);
  });
});

describe("the reasons of the hour", () => {
  const minutes = [
    minute({ reasons: { a: 1, b: 5, c: 2, d: 1, e: 1, f: 1, g: 1 } }),
    minute({ reasons: { a: 9, other: 1 } }),
  ];

  it("are the most frequent ones, and the rest as one", () => {
    expect(topReasons(minutes).map(({ reason, total }) => `${reason} ${total}`)).toEqual([
      "a 10",
      "b 5",
      "c 2",
      "d 1",
      "e 1",
      "other 3",
    ]);
    expect(topReasons([minute({ reasons: { a: 1 } })])).toEqual([{ reason: "a", total: 1 }]);
  });

  it("lose none in a minute's bar", () => {
    const top = topReasons(minutes);
    expect(minutes.map((one) => stackOf(one, top))).toEqual([
      [1, 5, 2, 1, 1, 2],
      [9, 0, 0, 0, 0, 1],
    ]);
    expect(top.at(-1)?.reason).toBe(OTHER);
  });
});

describe("an hour", () => {
  it("has a column for each minute, the unknown ones of its beginning too", () => {
    const known = [minute({ startMs: 600_000 }), minute({ startMs: 660_000 })];
    const { minutes, unknown } = hourOf({ boundsMs: BOUNDS_MS, minutes: known });
    expect(unknown).toBe(58);
    expect(minutes).toHaveLength(60);
    expect(minutes[57]?.startMs).toBe(540_000);
    expect(minutes.slice(unknown)).toEqual(known);
  });
});

it("draws no line through minutes without a wait", () => {
  expect(runsOf([1, 2, undefined, 4])).toEqual([
    [
      { index: 0, value: 1 },
      { index: 1, value: 2 },
    ],
    [{ index: 3, value: 4 }],
  ]);
  expect(runsOf([undefined, undefined])).toEqual([]);
});
