import { describe, expect, it } from "vitest";
import { meaningOf, REASON_MEANINGS } from "./meanings.ts";
import { DENIAL_REASONS, ORDER_REASONS, P26_GRANTS, PLAN_REASONS, waitReasons } from "./reasons.ts";

const REASONS = [
  ...Object.values(PLAN_REASONS).flat(),
  ...waitReasons(["governor", "p33"]),
  ...Object.values(DENIAL_REASONS).flat(),
  ...P26_GRANTS,
  ...ORDER_REASONS,
];

describe("meanings of reasons", () => {
  it("exist for every closed reason and for nothing else", () => {
    expect(Object.keys(REASON_MEANINGS).toSorted()).toEqual([...new Set(REASONS)].toSorted());
  });

  it("exist for an action and for issuers that nobody foresaw", () => {
    expect(meaningOf("unknown_action_MOON")).toBe(REASON_MEANINGS.unknown_action);
    for (const reason of waitReasons(["governor", "p33", "risk"])) expect(meaningOf(reason)).toBeDefined();
  });

  it("are not invented", () => {
    expect(meaningOf("")).toBeUndefined();
    expect(meaningOf("constructor")).toBeUndefined();
  });
});
