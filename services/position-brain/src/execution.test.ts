import { resultEntry } from "@quantum/contract";
import { describe, expect, it } from "vitest";
import { executionOf } from "./execution.ts";

const ARRIVED_MS = 1_769_301_008_000;
const entry = (more: Record<string, string>) =>
  resultEntry.parse({
    plan_id: "0123456789abcdef",
    symbol: "BTCUSDT",
    decision: "EXECUTE",
    executed: "True",
    ...more,
  });

describe("the time of an execution", () => {
  it.each([
    [
      "settled_at_ms, where it is told",
      { settled_at_ms: "1769301007500", timestamp: "1769301000" },
      1_769_301_007_500,
    ],
    ["the Python executor's timestamp", { timestamp: "1769301000" }, 1_769_301_000_000],
    ["that of the result's arrival, where none is told", {}, ARRIVED_MS],
    ["no later than the result's arrival", { timestamp: "1769301008000" }, ARRIVED_MS],
    ["in whole milliseconds", { timestamp: "1769301000.1234567" }, 1_769_301_000_123],
    ["not before the epoch", { timestamp: "-1" }, 0],
    ["that of the result's arrival, where it is no time", { timestamp: "nan" }, ARRIVED_MS],
  ])("is %s", (_, fields, atMs) => {
    expect(executionOf(entry(fields), ARRIVED_MS).atMs).toBe(atMs);
  });
});
