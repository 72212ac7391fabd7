import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Budget } from "./budget.ts";
import { costOf, countsOf, limitsOf, NOTHING, ORDER } from "./limits.ts";
import type { RequestClass } from "./request-classes.ts";
import type { Draw } from "./usage.ts";

const LIMITS = { weight_1m: 2_400, orders_1m: 1_200, orders_10s: 300 };
const MINUTE_MS = 60_000;
/** In the middle of one of the venue's minutes and of its 10 s. */
const VENUE_MS = 1_795_692_000_000 + 25_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

function budgetOf(limits: object = LIMITS): Budget {
  const budget = new Budget();
  budget.setLimits(limits);
  return budget;
}
const weight = (weight_1m: number) => ({ weight_1m });
const isHeld = (budget: Budget, requestClass: RequestClass, cost: object) =>
  budget.shortage(requestClass, cost) !== undefined;
const drawOf = (budget: Budget, kind = "weight_1m") =>
  budget.draws().find((draw) => draw.kind === kind) as Draw;

describe("a class", () => {
  it("stops at its share of the limit; what is vital, at the limit itself; an exit never does", () => {
    for (const [requestClass, last] of [
      ["audit", 1_200],
      ["refresh", 1_800],
      ["catch_up", 2_160],
      ["order", 2_160],
    ] as const) {
      const budget = budgetOf();
      budget.spend(weight(last - 5));
      expect(isHeld(budget, requestClass, weight(5))).toBe(false);
      expect(isHeld(budget, requestClass, weight(6))).toBe(true);
      expect(isHeld(budget, "vital", weight(2_400 - last + 5))).toBe(false);
      expect(isHeld(budget, "vital", weight(2_400 - last + 6))).toBe(true);
      expect(isHeld(budget, "exit", weight(5_000))).toBe(false);
    }
  });

  it("stops only for a limit that its request counts for", () => {
    const budget = budgetOf();
    budget.spend(weight(2_400));
    expect(isHeld(budget, "order", ORDER)).toBe(false);
    expect(isHeld(budget, "audit", NOTHING)).toBe(false);
  });

  it("is told how much is used, and when it may go on", () => {
    const budget = budgetOf();
    vi.advanceTimersByTime(20_000);
    budget.spend(weight(1_801));
    expect(budget.shortage("refresh", weight(5))).toEqual({
      kind: "weight_1m",
      used: 1_801,
      limit: 2_400,
      ceiling: 1_800,
      leftMs: 40_000,
      isOfBlock: false,
    });
  });

  it("has no limit where the venue tells none", () => {
    const budget = budgetOf({});
    budget.spend(weight(10_000));
    expect(isHeld(budget, "audit", weight(10_000))).toBe(false);
    expect(budget.draws()).toEqual([]);
    expect(budget.peak("weight_1m")).toBe(0);
  });

  it("goes on in the next window", () => {
    const budget = budgetOf();
    for (let orders = 0; orders < 270; orders++) budget.spend(ORDER);
    expect(isHeld(budget, "order", ORDER)).toBe(true);
    vi.advanceTimersByTime(10_000);
    expect(isHeld(budget, "order", ORDER)).toBe(false);
  });
});

describe("the venue's count", () => {
  it("is believed where it is larger than ours, and adds to what we spend after it", () => {
    const budget = budgetOf();
    const ticket = budget.spend(weight(5));
    budget.reported(ticket, { weight_1m: 1_100 }, VENUE_MS);
    expect(isHeld(budget, "audit", weight(100))).toBe(false);
    budget.spend(weight(60));
    expect(isHeld(budget, "audit", weight(40))).toBe(false);
    expect(isHeld(budget, "audit", weight(41))).toBe(true);
    budget.reported(budget.spend(weight(5)), { weight_1m: 12 }, VENUE_MS);
    expect(isHeld(budget, "audit", weight(36))).toBe(true);
  });

  it("ends with the venue's window", () => {
    const budget = budgetOf();
    vi.advanceTimersByTime(1_000);
    budget.reported(budget.spend(weight(5)), { weight_1m: 2_300 }, VENUE_MS);
    expect(isHeld(budget, "order", weight(5))).toBe(true);
    vi.advanceTimersByTime(35_000);
    expect(isHeld(budget, "order", weight(5))).toBe(false);
  });

  it("is not believed where a window may have begun between request and answer", () => {
    const venue = budgetOf();
    const ticket = venue.spend(weight(5));
    vi.advanceTimersByTime(2_000);
    venue.reported(ticket, { weight_1m: 2_300 }, VENUE_MS - 25_000 + 1_000);
    expect(isHeld(venue, "audit", weight(5))).toBe(false);
    const ahead = budgetOf();
    ahead.reported(ahead.spend(weight(5)), { weight_1m: 2_300 }, VENUE_MS - 25_000 + 900);
    expect(isHeld(ahead, "audit", weight(5))).toBe(false);
    const ours = budgetOf();
    vi.advanceTimersByTime(MINUTE_MS - 1_000);
    const late = ours.spend(weight(5));
    vi.advanceTimersByTime(2_000);
    ours.reported(late, { weight_1m: 2_300 }, VENUE_MS);
    expect(isHeld(ours, "audit", weight(5))).toBe(false);
  });
});

describe("a block", () => {
  const drawn = { window: 7, leftMs: 30_000, held: 20, others: 0 };
  function sharedBudget() {
    const budget = new Budget(["weight_1m"]);
    const low = vi.fn<() => Promise<void>>(async () => undefined);
    budget.onLow = low;
    budget.setLimits(LIMITS);
    budget.drawn(drawOf(budget), drawn);
    low.mockClear();
    return { budget, low };
  }

  it("is all that a class may spend until the next draw; what is vital overdraws it", () => {
    const { budget, low } = sharedBudget();
    budget.spend(weight(9));
    expect(low).not.toHaveBeenCalled();
    budget.spend(weight(1));
    expect(low).toHaveBeenCalledOnce();
    expect(isHeld(budget, "audit", weight(10))).toBe(false);
    expect(isHeld(budget, "audit", weight(11))).toBe(true);
    budget.spend(weight(30));
    expect(isHeld(budget, "vital", weight(1))).toBe(false);
    expect(isHeld(budget, "order", weight(1))).toBe(true);
    expect(drawOf(budget)).toMatchObject({ window: 7, spent: 40, limit: 2_400, ceiling: 2_160 });
  });

  it("does not end with its window", () => {
    const { budget } = sharedBudget();
    budget.spend(weight(5));
    vi.advanceTimersByTime(31_000);
    expect(isHeld(budget, "audit", weight(15))).toBe(false);
    expect(isHeld(budget, "audit", weight(16))).toBe(true);
    expect(drawOf(budget)).toMatchObject({ window: 8, spent: 0 });
  });

  it("is smaller by what was spent while it was drawn", () => {
    const { budget } = sharedBudget();
    const draw = drawOf(budget);
    budget.spend(weight(8));
    budget.drawn(draw, { ...drawn, others: 1_185 });
    expect(isHeld(budget, "audit", weight(7))).toBe(false);
    expect(isHeld(budget, "audit", weight(8))).toBe(true);
    expect(isHeld(budget, "refresh", weight(12))).toBe(false);
    expect(isHeld(budget, "refresh", weight(13))).toBe(true);
  });

  it("of a window that ended while it was drawn is not taken", () => {
    const { budget } = sharedBudget();
    const draw = drawOf(budget);
    vi.advanceTimersByTime(31_000);
    budget.drawn(draw, { ...drawn, held: 500 });
    expect(isHeld(budget, "audit", weight(21))).toBe(true);
  });

  it("is not needed for what a process only watches", () => {
    const { budget } = sharedBudget();
    const draw = drawOf(budget, "orders_10s");
    expect(draw.isHolder).toBe(false);
    expect(isHeld(budget, "order", ORDER)).toBe(false);
    budget.drawn(draw, { window: 1, leftMs: 5_000, held: 0, others: 270 });
    expect(isHeld(budget, "order", ORDER)).toBe(true);
  });

  it("is told with the venue's count, where both are of one window", () => {
    const { budget } = sharedBudget();
    const venueWindow = Math.floor(VENUE_MS / MINUTE_MS);
    budget.reported(budget.spend(weight(5)), { weight_1m: 500 }, VENUE_MS);
    expect(drawOf(budget)).toMatchObject({ spent: 5, reported: 0 });
    budget.drawn(drawOf(budget), { ...drawn, window: venueWindow });
    budget.reported(budget.spend(weight(5)), { weight_1m: 510 }, VENUE_MS);
    expect(drawOf(budget)).toMatchObject({ spent: 5, reported: 510 });
  });
});

describe("a request", () => {
  const drawn = { window: 7, leftMs: 30_000, held: 20, others: 0 };
  /** A budget whose draws are answered with what `held` says at that time. */
  function drawing(held: (wanted: number) => number) {
    const budget = new Budget(["weight_1m"]);
    const wanted: number[] = [];
    budget.onLow = async () => {
      const draw = drawOf(budget);
      wanted.push(draw.wanted);
      await Promise.resolve();
      budget.drawn(draw, { ...drawn, held: held(draw.wanted) });
    };
    budget.setLimits(LIMITS);
    budget.drawn(drawOf(budget), drawn);
    wanted.length = 0;
    return { budget, wanted };
  }

  it("for which only the block is too small waits for one that is large enough", async () => {
    const { budget, wanted } = drawing((needed) => Math.max(20, needed));
    expect((await budget.take("refresh", weight(40))).spent.weight_1m).toBe(40);
    expect(wanted[0]).toBe(40);
  });

  it("is refused if there is no such block, after two draws", async () => {
    const { budget, wanted } = drawing(() => 39);
    await expect(budget.take("refresh", weight(40))).rejects.toThrow("not asked: 0 of the exchange's limit");
    expect(wanted.slice(0, 2)).toEqual([40, 40]);
    expect(drawOf(budget)).toMatchObject({ spent: 0, wanted: 0 });
  });

  it("draws together with others that wait", async () => {
    const { budget, wanted } = drawing((needed) => Math.max(20, needed));
    await Promise.all([30, 40, 50].map((each) => budget.take("refresh", weight(each))));
    expect(Math.max(...wanted)).toBe(120);
    expect(drawOf(budget).spent).toBe(120);
  });

  it("does not draw where the limit itself is used, nor if it is vital", async () => {
    const { budget, wanted } = drawing(() => 2_000);
    await budget.take("vital", weight(1_800));
    wanted.length = 0;
    await expect(budget.take("audit", weight(1))).rejects.toMatchObject({ retryAfterMs: 30_000 });
    expect(wanted).not.toContain(1);
    await budget.take("vital", weight(600));
    await expect(budget.take("vital", weight(1))).rejects.toThrow("requests of class vital stop at 2400");
  });

  it("never finds the room that another one has just found", async () => {
    const budget = budgetOf();
    const taken = Array.from({ length: 400 }, () => budget.take("refresh", weight(5)));
    const outcomes = await Promise.allSettled(taken);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(360);
  });
});

describe("what is set aside", () => {
  it("is kept from all other requests but vital ones, until it is spent or its reading ends", async () => {
    const budget = budgetOf();
    budget.spend(weight(1_700));
    const aside = await budget.setAside("refresh", 100);
    expect(isHeld(budget, "refresh", weight(1))).toBe(true);
    expect(isHeld(budget, "vital", weight(700))).toBe(false);
    expect((await budget.take("refresh", weight(60), aside)).spent.weight_1m).toBe(1_760);
    expect(isHeld(budget, "refresh", weight(1))).toBe(true);
    // More than is left of it.
    await expect(budget.take("refresh", weight(41), aside)).rejects.toThrow("not asked: 1800 of");
    aside.end();
    expect(isHeld(budget, "refresh", weight(40))).toBe(false);
    expect(isHeld(budget, "refresh", weight(41))).toBe(true);
    await budget.take("refresh", weight(40), aside);
    expect(isHeld(budget, "refresh", weight(1))).toBe(true);
  });

  it("is refused as a whole if not all of it fits", async () => {
    const budget = budgetOf();
    budget.spend(weight(1_701));
    await expect(budget.setAside("refresh", 100)).rejects.toThrow("requests of class refresh stop at 1800");
    expect(isHeld(budget, "refresh", weight(99))).toBe(false);
  });

  it("is part of the block, and of what the next draw asks for", async () => {
    const budget = new Budget(["weight_1m"]);
    budget.onLow = async () => undefined;
    budget.setLimits(LIMITS);
    budget.drawn(drawOf(budget), { window: 7, leftMs: 30_000, held: 200, others: 0 });
    const aside = await budget.setAside("refresh", 185);
    expect(drawOf(budget).wanted).toBe(185);
    await budget.take("refresh", weight(35), aside);
    expect(drawOf(budget).wanted).toBe(150);
    expect(isHeld(budget, "refresh", weight(15))).toBe(false);
    expect(isHeld(budget, "refresh", weight(16))).toBe(true);
    aside.end();
    expect(drawOf(budget).wanted).toBe(0);
    expect(isHeld(budget, "refresh", weight(165))).toBe(false);
  });
});

it("shows the highest use for longer than a window", () => {
  const budget = budgetOf();
  budget.spend(weight(1_800));
  vi.advanceTimersByTime(MINUTE_MS + 1_000);
  budget.spend(weight(240));
  expect(budget.peak("weight_1m")).toBe(0.75);
  vi.advanceTimersByTime(MINUTE_MS);
  expect(budget.peak("weight_1m")).toBe(0.1);
  vi.advanceTimersByTime(3 * MINUTE_MS);
  expect(budget.peak("weight_1m")).toBe(0);
});

it("never lets a class beyond its ceiling, whatever is spent and told", () => {
  const step = fc.oneof(
    fc.record({ spend: fc.integer({ min: 1, max: 300 }) }),
    fc.record({ waitMs: fc.integer({ min: 1, max: 40_000 }) }),
    fc.record({ others: fc.integer({ min: 0, max: 2_400 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const budget = budgetOf();
      let spent = 0;
      let windowEndMs = performance.now() + MINUTE_MS;
      for (const next of steps) {
        if ("waitMs" in next) vi.advanceTimersByTime(next.waitMs);
        while (performance.now() >= windowEndMs) {
          windowEndMs += MINUTE_MS;
          spent = 0;
        }
        if ("others" in next)
          budget.reported(budget.spend(NOTHING), { weight_1m: next.others + spent }, VENUE_MS);
        if ("spend" in next && !isHeld(budget, "refresh", weight(next.spend))) {
          budget.spend(weight(next.spend));
          spent += next.spend;
        }
        expect(spent).toBeLessThanOrEqual(1_800);
      }
    }),
  );
});

describe("what the venue documents", () => {
  it("is what a request weighs", () => {
    expect(costOf("fapi/v1/openOrders")).toEqual({ weight_1m: 40 });
    expect(costOf("fapi/v1/openOrders", { symbol: "BTCUSDT" })).toEqual({ weight_1m: 1 });
    expect(costOf("fapi/v2/positionRisk")).toEqual({ weight_1m: 5 });
    expect(costOf("fapi/v1/positionSide/dual")).toEqual({ weight_1m: 30 });
  });

  it("is how it lists its limits; what cannot be read is left out, and the smallest of a kind counts", () => {
    const row = (rateLimitType: string, intervalNum: string, interval: string, limit: unknown) => ({
      rateLimitType,
      intervalNum,
      interval,
      limit,
    });
    expect(
      limitsOf([
        row("REQUEST_WEIGHT", "1", "MINUTE", "2400"),
        row("REQUEST_WEIGHT", "1", "MINUTE", "1200"),
        row("ORDERS", "1", "MINUTE", "0"),
        row("ORDERS", "10", "SECOND", "300"),
        row("RAW_REQUESTS", "5", "MINUTE", "6100"),
        null,
      ]),
    ).toEqual({ weight_1m: 1_200, orders_10s: 300 });
  });

  it("is how its answers tell what is counted", () => {
    const headers: Record<string, string> = { "x-mbx-used-weight-1m": "45", "x-mbx-order-count-10s": "no" };
    expect(countsOf((name) => headers[name])).toEqual({ weight_1m: 45 });
  });
});
