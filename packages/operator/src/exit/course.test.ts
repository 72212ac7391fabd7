/** What follows from each end of an exit plan, and when what is told of a plan under way. */
import { Big } from "big.js";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Course, courseOf, type Standing } from "./course.ts";
import { type ExitResult, type Seen, sightOf } from "./plan.ts";

const NOTHING: ExitResult = { outcome: "", reason: "", detail: "", executedQty: "", left: "", report: "" };
const WHOLE: Standing = { left: Big("1"), todo: Big("1"), isWhole: true, isBegun: false };
const PART: Standing = { left: Big("1"), todo: Big("0.4"), isWhole: false, isBegun: false };
const REST: Standing = { ...PART, isBegun: true };
/** Of a symbol without a position: only what rests is to be cancelled. */
const FLAT: Standing = { ...WHOLE, left: Big("0"), todo: Big("0") };

const after = (result: Partial<ExitResult>, standing: Standing) =>
  shown(courseOf({ kind: "ended", result: { ...NOTHING, ...result } }, standing));
const shown = (course: Course) => ({
  next: course.kind === "end" ? course.how : course.kind,
  left: course.left.toFixed(),
  executed: course.executed.toFixed(),
});

describe("what follows", () => {
  it.each<[string, Partial<ExitResult>, Standing, string, string]>([
    ["all executed", { outcome: "EXECUTED", executedQty: "1", left: "0" }, WHOLE, "flat", "0"],
    ["all executed, the venue not asked", { outcome: "EXECUTED", executedQty: "1" }, WHOLE, "flat", "0"],
    ["executed in part", { outcome: "EXECUTED", executedQty: "0.3", left: "0.7" }, WHOLE, "at once", "0.7"],
    [
      "executed, and more was opened",
      { outcome: "EXECUTED", executedQty: "1", left: "0.2" },
      WHOLE,
      "at once",
      "0.2",
    ],
    [
      "executed, and as much was opened",
      { outcome: "EXECUTED", executedQty: "1", left: "1" },
      WHOLE,
      "wait",
      "1",
    ],
    ["the part executed", { outcome: "EXECUTED", executedQty: "0.4", left: "0.6" }, PART, "closed", "0.6"],
    ["less than the part", { outcome: "EXECUTED", executedQty: "0.1", left: "0.9" }, PART, "at once", "0.9"],
    ["flat before", { outcome: "NOT_PLACED", reason: "exit_flat", left: "0" }, PART, "flat", "0"],
    ["rejected", { outcome: "REJECTED", reason: "rejected_by_exchange" }, WHOLE, "wait", "1"],
    ["a ban", { outcome: "NOT_PLACED", reason: "rate_limited" }, PART, "wait", "1"],
    ["too late", { outcome: "NOT_PLACED", reason: "execute_expired" }, WHOLE, "wait", "1"],
    ["another side", { outcome: "NOT_PLACED", reason: "exit_side_changed", left: "-2" }, WHOLE, "wait", "-2"],
    [
      "another side of a part",
      { outcome: "NOT_PLACED", reason: "exit_side_changed", left: "-2" },
      PART,
      "side changed",
      "-2",
    ],
    ["dust", { outcome: "NOT_PLACED", reason: "quantity_below_minimum" }, WHOLE, "dust", "1"],
    ["the rest of a part", { outcome: "NOT_PLACED", reason: "quantity_below_minimum" }, REST, "closed", "1"],
    [
      "a part below the smallest order",
      { outcome: "NOT_PLACED", reason: "quantity_below_minimum" },
      PART,
      "dust",
      "1",
    ],
    [
      "less signed than the smallest order, and more was opened",
      { outcome: "NOT_PLACED", reason: "quantity_below_minimum", left: "2" },
      WHOLE,
      "wait",
      "2",
    ],
    [
      "a plan that only cancels, which did not",
      { outcome: "NOT_PLACED", reason: "rate_limited" },
      FLAT,
      "wait",
      "0",
    ],
    [
      "a plan that only cancels",
      { outcome: "NOT_PLACED", reason: "exit_flat", left: "0" },
      FLAT,
      "flat",
      "0",
    ],
    ["no key", { outcome: "NOT_PLACED", reason: "exit_not_enrolled" }, WHOLE, "refused", "1"],
    ["forged under a halt", { outcome: "NOT_PLACED", reason: "kill_switch_active" }, WHOLE, "refused", "1"],
    ["forged", { outcome: "NOT_PLACED", reason: "permit_forged", left: "0" }, WHOLE, "refused", "0"],
  ])("from %s", (_, result, standing, next, left) => {
    expect(after(result, standing)).toMatchObject({ next, left });
  });

  it.each<[Parameters<typeof courseOf>[0], Standing, string]>([
    [{ kind: "nobody" }, WHOLE, "nobody"],
    [{ kind: "abandoned" }, WHOLE, "interrupted"],
    // The venue's position decides about the whole; of a part, what became of the last plan must be known.
    [{ kind: "long in doubt" }, WHOLE, "wait"],
    [{ kind: "lost" }, WHOLE, "wait"],
    [{ kind: "lost" }, PART, "in doubt"],
  ])("from a plan of which is seen %o", (sight, standing, next) => {
    expect(shown(courseOf(sight, standing)).next).toBe(next);
  });

  it("a plan never signs more than the venue says is there, whatever executes", () => {
    const share = fc.integer({ min: 0, max: 100 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.boolean(),
        fc.array(share, { maxLength: 30 }),
        (units, isShort, shares) => {
          let position = Big(units)
            .div(1_000)
            .times(isShort ? -1 : 1);
          for (const percent of shares) {
            const standing = { ...WHOLE, left: position, todo: position.abs() };
            const executed = position.abs().times(percent).div(100);
            const result = {
              outcome: executed.eq(0) ? "REJECTED" : "EXECUTED",
              executedQty: executed.toFixed(),
            };
            const course = courseOf({ kind: "ended", result: { ...NOTHING, ...result } }, standing);
            const really = isShort ? position.plus(executed) : position.minus(executed);
            expect(course.left.eq(really)).toBe(true);
            position = really;
            if (!position.eq(0)) continue;
            expect(shown(course).next).toBe("flat");
            break;
          }
        },
      ),
    );
  });
});

describe("what is told of a plan", () => {
  const UNTIL = 1_000_000;
  const unclaimed: Seen = { kind: "unclaimed", untilMs: UNTIL };
  const inDoubt: Seen = { kind: "in doubt", windowEndMs: UNTIL };

  it.each<[Seen, number, number, string | undefined]>([
    [unclaimed, 9_000, UNTIL - 51_000, undefined],
    [unclaimed, 10_001, UNTIL - 49_000, "unclaimed"],
    // The claim is refused by now, so that nobody can take it.
    [unclaimed, 61_000, UNTIL + 1_001, "nobody"],
    [inDoubt, 500, UNTIL, "in doubt"],
    [inDoubt, 10_001, UNTIL, "in doubt"],
    [inDoubt, 10_001, UNTIL + 1_001, "long in doubt"],
    [{ kind: "sent", windowEndMs: UNTIL }, 0, UNTIL, "sent"],
    [{ kind: "sent", windowEndMs: UNTIL }, 10_001, UNTIL + 1_001, "long in doubt"],
  ])("%o for %d ms, at %d", (seen, forMs, nowMs, told) => {
    expect(sightOf(seen, forMs, nowMs)?.kind).toBe(told);
  });
});
