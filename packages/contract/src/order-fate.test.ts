import { describe, expect, it } from "vitest";
import { resultEntry } from "./messages.ts";
import { orderFate, orderIds } from "./order-fate.ts";

const result = (more: Record<string, string>) =>
  resultEntry.parse({
    plan_id: "67e6da21fa9fe506",
    symbol: "BTCUSDT",
    decision: "EXECUTE",
    executed: "False",
    ...more,
  });
const steps = (...statuses: string[]) =>
  JSON.stringify(statuses.map((status) => ({ step: "CLOSE_FULL", status })));

describe("what became of a plan's order", () => {
  it.each([
    ["executed", "ours", { outcome: "EXECUTED", executed: "True" }],
    ["none", "ours, whatever its steps say", { outcome: "REJECTED", steps_results: steps("error") }],
    ["none", "a dry run of ours", { outcome: "DRY_RUN", would_execute: "True" }],
    ["executed", "Python's order", { executed: "True", steps_results: steps("success") }],
    ["ambiguous", "Python's order that failed", { executed: "True", steps_results: steps("error") }],
    ["ambiguous", "one of two that failed", { executed: "True", steps_results: steps("success", "error") }],
    ["none", "Python's UPDATE_SL", { executed: "True", steps_results: steps("not_implemented") }],
    ["none", "an unknown step", { executed: "True", steps_results: steps("unknown_step") }],
    ["none", "an execution without a step", { executed: "True" }],
    ["none", "Python's dry run", { would_execute: "True", steps_results: steps("would_execute") }],
    ["none", "Python's block", { decision: "BLOCKED", error: "permit_timeout_or_missing:missing_p33" }],
    ["none", "no position", { decision: "SKIP", error: "no_position", steps_results: steps("no_position") }],
    ["none", "a failure before any order", { decision: "ERROR", error: "Binance testnet ping failed" }],
    ["untold", "a repetition, as Python writes it", { decision: "SKIP" }],
    ["untold", "a repetition that names itself", { decision: "SKIP", error: "duplicate_plan" }],
  ])("is %s by %s", (fate, _, more) => {
    expect(orderFate(result(more))).toBe(fate);
  });

  it("has the ids of the orders, in fields of ours or in Python's steps", () => {
    expect(orderIds(result({ order_id: "8389765519826112345" }))).toEqual(["8389765519826112345"]);
    const orders = [
      { status: "success", order_id: "12" },
      { status: "error", order_id: "13" },
      { status: "success", order_id: "14 [PERMIT_WAIT] OK" },
      { status: "success" },
    ];
    expect(orderIds(result({ steps_results: JSON.stringify(orders) }))).toEqual(["12"]);
  });
});
