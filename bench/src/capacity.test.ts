import { expect, it } from "vitest";
import { costOf, needOf, renderCapacity } from "./capacity.ts";
import { Results } from "./results.ts";

const FIGURES = {
  "cpu redis, µs": 700,
  "cpu apply-layer, µs": 300,
  "cpu governor, µs": 100,
  "cpu position-brain, µs": 500,
  "cpu executor, µs": 600,
  "append-only file, bytes": 10_000,
  "kept quantum:apply:plan:ID, bytes": 1_000,
  "kept quantum:apply:plan:ID, h": 24,
  "kept quantum:order:ID, bytes": 500,
  "kept quantum:order:ID, h": 168,
};

const resultsWith = (figures: Record<string, number>) => {
  const results = new Results();
  results.add({ case: "cost of a plan", load: "to the settled order", system: "pipeline" }, figures);
  return results;
};

it("a plan's cost is the sum of its services, and of each key for as long as it lives", () => {
  expect(costOf(resultsWith(FIGURES))).toEqual({
    redisUs: 700,
    servicesUs: 1_500,
    diskBytes: 10_000,
    keptByteSec: (1_000 * 24 + 500 * 168) * 3_600,
  });
});

it.each(["cpu redis, µs", "cpu executor, µs", "append-only file, bytes", "kept quantum:order:ID, h"])(
  "without %s there is no table: a part is not taken for the whole",
  (missing) => {
    const { [missing]: _, ...others } = FIGURES as Record<string, number>;
    expect(costOf(resultsWith(others))).toBeUndefined();
  },
);

it("needs grow with the rate, and a master is never busier than seven tenths", () => {
  const cost = { redisUs: 700, servicesUs: 1_500, diskBytes: 10_000, keptByteSec: 1e9 };
  expect(needOf(cost, 10)).toEqual({
    plansPerSec: 10,
    redisCores: 0.007,
    masters: 1,
    serviceCores: 0.015,
    memoryGb: 10,
    diskGbPerDay: 8.64,
  });
  expect([1_000, 1_001].map((rate) => needOf(cost, rate).masters)).toEqual([1, 2]);
});

it("says which rows are above what was measured", () => {
  const cost = { redisUs: 700, servicesUs: 1_500, diskBytes: 10_000, keptByteSec: 1e9 };
  const table = renderCapacity(cost, 500);
  expect(table).toContain("| 100 | 0.07 | 1 | 0.15 | 100 | 86 | measured |");
  expect(table).toContain("| 1,000 | 0.7 | 1 | 1.5 | 1000 | 860 | extrapolated |");
});
