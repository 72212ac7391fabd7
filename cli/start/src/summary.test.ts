import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkInvariants, evidenceOf, type PlanOutline } from "@quantum/harness";
import { isSound, renderSummary, type RunFrame, summarize } from "./summary.ts";

const FRAME: RunFrame = {
  scenario: "healthy",
  seed: 7,
  ordersExpected: false,
  proposals: 0,
  expectedPlanIds: undefined,
  cutShort: undefined,
  restarts: {},
};
const outline: fc.Arbitrary<PlanOutline> = fc.record({
  symbol: fc.constantFrom("BTCUSDT", "ETHUSDT"),
  closePct: fc.constantFrom(25, 100),
  end: fc.constantFrom("EXECUTED", "NOT_PLACED", "BLOCKED", "SKIP", "DRY_RUN"),
  split: fc.boolean(),
});

function summaryOf(outlines: readonly PlanOutline[], frame: Partial<RunFrame> = {}) {
  const evidence = evidenceOf(outlines);
  const findings = checkInvariants(evidence);
  const proposals = outlines.length;
  return { evidence, findings, summary: summarize(evidence, findings, { ...FRAME, proposals, ...frame }) };
}

const plan = (end: PlanOutline["end"]): PlanOutline => ({
  symbol: "BTCUSDT",
  closePct: 25,
  end,
  split: false,
});

describe("summarize", () => {
  it("counts every plan once", () => {
    fc.assert(
      fc.property(fc.array(outline, { maxLength: 20 }), (outlines) => {
        const { summary } = summaryOf(outlines);
        const sum = [summary.blocked, summary.skipped, summary.errors].flatMap((counts) =>
          Object.values(counts),
        );
        expect(summary.plans).toBe(outlines.length);
        expect(summary.plans).toBe(sum.reduce((total, count) => total + count, summary.ok));
        expect(summary.executed).toBe(summary.orders);
      }),
    );
  });

  it("tells reasons, orders and waits", () => {
    const { summary } = summaryOf(
      ["EXECUTED", "EXECUTED", "BLOCKED", "SKIP", "DRY_RUN"].map((end) => plan(end as "SKIP")),
    );
    expect(summary).toMatchObject({
      plans: 5,
      ok: 3,
      blocked: { missing_p33: 1 },
      skipped: { action_hold: 1 },
      executed: 2,
      in_doubt: 0,
      orders: 2,
      wait_ms: { min: 5, p50: 5, p95: 7, p99: 7, max: 7 },
    });
  });

  it("counts a correction, and takes what it corrects for executed", () => {
    const evidence = evidenceOf([plan("EXECUTED")]);
    const [result] = evidence.results;
    if (result === undefined) throw new Error("it has a result");
    const denied = {
      outcome: "NOT_PLACED" as const,
      executed: false,
      executedQty: "",
      reason: "not_placed_by_evidence",
    };
    evidence.results.unshift({ ...result, ...denied, id: "1-0" });
    Object.assign(result, { corrects: "1-0" });
    const findings = checkInvariants(evidence);
    const summary = summarize(evidence, findings, FRAME);
    expect(summary).toMatchObject({ plans: 1, executed: 1, not_executed: {}, corrections: 1 });
    expect(summary.invariants).toMatchObject({ I3: true, I4: true });
    expect(renderSummary(summary, evidence, findings).join("\n")).toContain("in doubt 0, corrections 1, ");
  });

  it("counts repeated proposals as duplicates, not as plans", () => {
    expect(summaryOf([plan("EXECUTED")], { proposals: 3 }).summary).toMatchObject({
      plans: 1,
      duplicates: 2,
    });
  });

  it("counts what is doubled, lost and in doubt", () => {
    const evidence = evidenceOf([plan("EXECUTED"), plan("EXECUTED"), plan("BLOCKED")]);
    const [first] = evidence.orders.filter(({ origin }) => origin === "api");
    if (first !== undefined) evidence.orders.push({ ...first, orderId: "again" });
    evidence.results.splice(1);
    const summary = summarize(evidence, checkInvariants(evidence), FRAME);
    expect(summary).toMatchObject({ plans: 2, ok: 2, orders: 3, doubled: 1, lost: 2, in_doubt: 1 });
    expect(isSound(summary)).toBe(false);
  });

  it("calls what a run that was cut short left open unfinished, and never sound", () => {
    const evidence = evidenceOf([plan("EXECUTED"), plan("EXECUTED"), plan("BLOCKED")]);
    evidence.results.splice(1);
    const frame = { ...FRAME, cutShort: "without executor", restarts: { executor: 1 } };
    const findings = checkInvariants(evidence);
    const summary = summarize(evidence, findings, frame);
    expect(summary).toMatchObject({ lost: 0, unfinished: 2, cut_short: "without executor" });
    expect(isSound(summary)).toBe(false);
    const lines = renderSummary(summary, evidence, findings);
    expect(lines.join("\n")).not.toContain("BROKEN");
    expect(lines.at(-1)).toMatch(/ 0 doubled, 0 lost, 2 unfinished$/);
  });

  it("takes a run without orders for sound only where none are expected", () => {
    expect(isSound(summaryOf([plan("BLOCKED")]).summary)).toBe(true);
    const { summary } = summaryOf([plan("BLOCKED")], { ordersExpected: true });
    expect(summary.invariants).toMatchObject({ I1: false, I2: false, I3: false, I4: true, I5: false });
    expect(isSound(summary)).toBe(false);
  });

  it("compares plan ids with those that a replayed file expects", () => {
    const planId = "1".padStart(16, "0");
    const exact = summaryOf([plan("SKIP")], { expectedPlanIds: [planId] });
    expect(isSound(exact.summary)).toBe(true);
    const other = summaryOf([plan("SKIP")], { expectedPlanIds: ["f".repeat(16)] });
    expect(other.summary.replayed?.plan_ids_unexpected).toHaveLength(2);
    expect(isSound(other.summary)).toBe(false);
    expect(isSound(summaryOf([plan("SKIP")], { expectedPlanIds: [undefined] }).summary)).toBe(true);
  });
});

describe("renderSummary", () => {
  it("ends in one sentence and shows what is broken", () => {
    const { evidence, summary } = summaryOf([plan("EXECUTED")]);
    evidence.ledgers.clear();
    const findings = checkInvariants(evidence);
    const lines = renderSummary(summarize(evidence, findings, FRAME), evidence, findings);
    expect(lines.at(-1)).toBe("1 plans, 1 orders, 0 doubled, 0 lost");
    expect(lines).toContain("  I7 BROKEN (1 checked): the ledger equals the exchange's fills");
    expect(summary.invariants.I7).toBe(true);
  });
});
