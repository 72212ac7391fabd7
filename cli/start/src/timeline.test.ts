import { expect, it } from "vitest";
import { timeline } from "./timeline.ts";

it("tells each stage of a stuck plan from its opening on, with the issuers' verdicts", () => {
  const record = {
    state: "WAITING",
    symbol: "BTCUSDT",
    opened_at_ms: "1769301008000",
    p33_at_ms: "1769301008900",
    p33_verdict: "granted",
    governor_at_ms: "1769301008003",
    governor_verdict: "granted",
    deadline_ms: "1769301009200",
  };
  expect(timeline("67e6da21fa9fe506", record)).toBe(
    "  plan 67e6da21fa9fe506 BTCUSDT: WAITING; opened, +3 ms governor granted, +900 ms p33 granted",
  );
});

it("says when a plan was never opened", () => {
  expect(timeline("67e6da21fa9fe506", {})).toContain("no record");
});
