import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { everythingBetween, PAGE_ROWS } from "./pages.ts";

/** A venue that returns the first rows of a time span, or the last ones. */
const venue = (times: readonly number[], end: "first" | "last") => {
  const asked: [number, number][] = [];
  const page = async (startMs: number, endMs: number) => {
    asked.push([startMs, endMs]);
    const rows = times.filter((time) => time >= startMs && time <= endMs);
    return end === "first" ? rows.slice(0, PAGE_ROWS) : rows.slice(-PAGE_ROWS);
  };
  return { page, asked };
};

describe("everything between two times", () => {
  it("is one question where one answer holds it", async () => {
    const { page, asked } = venue([1, 5, 9], "first");
    expect(await everythingBetween(1, 9, page)).toEqual([1, 5, 9]);
    expect(asked).toEqual([[1, 9]]);
  });

  it("is all of it, each row once and in order, whichever end the venue cuts off", async () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: PAGE_ROWS, maxLength: 5 * PAGE_ROWS });
    await fc.assert(
      fc.asyncProperty(gaps, fc.constantFrom("first", "last"), async (steps, end) => {
        let now = 0;
        const times = steps.map((step) => (now += step));
        const { page } = venue(times, end);
        expect(await everythingBetween(0, now, page)).toEqual(times);
      }),
      { numRuns: 20 },
    );
  });

  it("fails where one millisecond fills an answer", async () => {
    const { page } = venue(
      Array.from({ length: PAGE_ROWS }, () => 7),
      "first",
    );
    await expect(everythingBetween(0, 100, page)).rejects.toThrow("of one millisecond");
  });
});
