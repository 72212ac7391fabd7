import { describe, expect, it } from "vitest";
import { History } from "./history.ts";

const PROPOSAL = { symbol: "BTCUSDT", harvest_action: "PARTIAL_75", kill_score: "0.5" };
const PLAN_FIELDS = {
  symbol: "BTCUSDT",
  action: "PARTIAL_75",
  kill_score: "0.5",
  decision: "EXECUTE",
  steps: "[]",
};

function proposed(history: History): string {
  history.take("proposal", "1-0", PROPOSAL);
  return [...history.proposedPlanIds][0] ?? "";
}
const result = (planId: string, attempt: string) => ({
  plan_id: planId,
  symbol: "BTCUSDT",
  decision: "BLOCKED",
  executed: "False",
  attempt,
  outcome: "BLOCKED",
  reason: "missing_p33",
  wait_ms: "1201",
});

describe("History", () => {
  it("tells plans apart whose entries have the same id in streams of two partitions", () => {
    const history = new History();
    const [first, second] = ["1".repeat(16), "2".repeat(16)];
    for (const [partition, planId] of [first, second].entries())
      history.take("plan", "2-0", { ...PLAN_FIELDS, plan_id: planId }, partition);
    history.take("result", "3-0", result(second, "2-0"), 1);
    expect([...history.open]).toEqual([first]);
    history.take("result", "4-0", { ...result(second, "2-0"), corrects: "3-0" }, 1);
    const [own, others] = history.plans.map(({ attempt }) => attempt);
    expect(others).not.toBe(own);
    expect(history.results.map(({ attempt }) => attempt)).toEqual([others, others]);
    expect(history.results[1]?.corrects).toBe(history.results[0]?.id);
    expect([first, second].map((planId) => history.attemptOf(planId, "2-0"))).toEqual([own, others]);
  });

  it("holds a plan open from its proposal to its result", () => {
    const history = new History();
    const planId = proposed(history);
    expect([...history.open]).toEqual([planId]);
    history.take("plan", "2-0", { ...PLAN_FIELDS, plan_id: planId });
    expect(history.open.size).toBe(1);
    history.take("result", "3-0", result(planId, "2-0"));
    expect(history.open.size).toBe(0);
    expect(history.results).toMatchObject([{ reason: "missing_p33", waitMs: 1201 }]);
  });

  it("is not confused by a result that is read before its plan, or by a proposal that comes again", () => {
    const history = new History();
    const planId = proposed(history);
    history.take("result", "3-0", result(planId, "2-0"));
    history.take("plan", "2-0", { ...PLAN_FIELDS, plan_id: planId });
    history.take("proposal", "4-0", PROPOSAL);
    expect(history.open.size).toBe(0);
    expect(history.proposals).toBe(2);
  });

  it("opens a plan again with another attempt", () => {
    const history = new History();
    const planId = proposed(history);
    history.take("plan", "2-0", { ...PLAN_FIELDS, plan_id: planId });
    history.take("result", "3-0", result(planId, "2-0"));
    history.take("plan", "5-0", { ...PLAN_FIELDS, plan_id: planId });
    expect([...history.open]).toEqual([planId]);
  });

  it("tells of entries that it cannot read", () => {
    const history = new History();
    const problems: string[] = [];
    history.on("malformed", ({ stream, id, problem }) => problems.push(`${stream} ${id} ${problem}`));
    history.take("plan", "2-0", { ...PLAN_FIELDS, plan_id: "short" });
    expect(problems).toEqual(["plan 2-0 plan_id: 16 lower-case hex digits"]);
  });
});
