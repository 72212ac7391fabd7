import { describe, expect, it } from "vitest";
import type { AttemptView, PermitView } from "../src/api.ts";
import { layoutOf, ticksOf } from "../page/timeline-layout.mjs";

const OPENED_MS = 1_000_000;

function attempt(
  stages: [stage: string, sinceOpenMs: number, text?: string][],
  deadlineMs?: number,
): AttemptView {
  return {
    attempt: "1-0",
    openedAtMs: OPENED_MS,
    deadlineMs: deadlineMs === undefined ? undefined : OPENED_MS + deadlineMs,
    stages: stages.map(([stage, sinceOpenMs, text = stage]) => ({
      atMs: OPENED_MS + sinceOpenMs,
      sinceOpenMs,
      deltaMs: 0,
      stage,
      text,
    })),
  };
}
const permit = (issuer: string, verdict: string, waitMs: number | undefined, reason = ""): PermitView => ({
  issuer,
  verdict,
  reason,
  waitMs,
  key: "",
  signature: "",
});
const ended = { nowMs: OPENED_MS + 60_000, ended: true };

const executed = attempt(
  [
    ["open", 0],
    ["governor", 27],
    ["p33", 50],
    ["verdict", 56],
    ["claim", 85],
    ["result", 131, "EXECUTED, order 1: 0.046 at 104975.8"],
  ],
  1_200,
);
const granted = [permit("governor", "granted", 27, "within_limits"), permit("p33", "granted", 50)];

describe("an executed plan", () => {
  const layout = layoutOf(executed, granted, ended);

  it("has a lane for the wait, each issuer and the order, to scale", () => {
    expect(
      layout.lanes.map(({ label, bars }) => [
        label,
        ...bars.map(({ fromMs, toMs, tone }) => `${fromMs}-${toMs} ${tone}`),
      ]),
    ).toEqual([
      ["wait", "0-56 ok"],
      ["governor", "0-27 ok"],
      ["p33", "0-50 ok"],
      ["order", "85-131 ok"],
    ]);
  });

  it("has one scale, on which everything lies that happened", () => {
    expect(layout.views).toHaveLength(1);
    expect(layout.views[0]?.toMs).toBeGreaterThan(131);
  });
});

it("shows an issuer that did not answer up to the end of the wait", () => {
  const blocked = attempt(
    [
      ["open", 0],
      ["governor", 11],
      ["result", 1_201, "BLOCKED, missing_p33"],
    ],
    1_200,
  );
  const { lanes, verdictMs } = layoutOf(
    blocked,
    [permit("governor", "granted", 11), permit("p33", "", undefined)],
    ended,
  );
  expect(verdictMs).toBeUndefined();
  expect(lanes.find(({ label }) => label === "p33")).toMatchObject({
    says: "did not answer",
    bars: [{ fromMs: 0, toMs: 1_201, tone: "bad" }],
  });
  expect(lanes[0]).toMatchObject({ label: "wait", says: "blocked after 1,201 ms" });
  expect(lanes.map(({ label }) => label)).not.toContain("order");
});

it("shows a denial as what ended the wait", () => {
  const denied = attempt([
    ["open", 0],
    ["p33", 9],
    ["result", 9, "BLOCKED, p33_permit_denied"],
  ]);
  const { lanes } = layoutOf(denied, [permit("p33", "denied", 9, "no_position")], ended);
  expect(lanes.find(({ label }) => label === "p33")).toMatchObject({
    says: "denied: no_position, after 9 ms",
    bars: [{ tone: "bad" }],
  });
});

it("lets a plan that waits grow with the time", () => {
  const waiting = attempt([["open", 0]], 1_200);
  const { lanes } = layoutOf(waiting, [permit("governor", "", undefined)], {
    nowMs: OPENED_MS + 400,
    ended: false,
  });
  expect(lanes.map(({ bars }) => bars[0]?.toMs)).toEqual([400, 400]);
  expect(lanes[1]?.says).toBe("has not answered yet");
});

it("enlarges the wait where the order's doubt lasted much longer, and shows the whole below", () => {
  const doubtful = attempt(
    [
      ["open", 0],
      ["governor", 27],
      ["verdict", 56],
      ["claim", 85],
      ["doubt", 2_100],
      ["result", 63_000, "NOT_PLACED, not_placed_by_evidence"],
    ],
    1_200,
  );
  const { lanes, views } = layoutOf(doubtful, [], ended);
  expect(views.map(({ title }) => title)).toEqual(["the wait for permits, enlarged", "the whole"]);
  expect(lanes.at(-1)?.bars.map(({ fromMs, toMs, tone }) => `${fromMs}-${toMs} ${tone}`)).toEqual([
    "85-2100 busy",
    "2100-63000 warn",
  ]);
});

it("draws a plan that never waited as points", () => {
  const skipped = attempt([
    ["open", 0, "SKIP action_hold"],
    ["result", 0, "SKIP, action_hold"],
  ]);
  const { lanes, views } = layoutOf(skipped, [], ended);
  expect(lanes.map(({ label, marks }) => `${label} ${marks.length}`)).toEqual(["plan 2"]);
  expect(views).toHaveLength(1);
});

it("marks a scale at round numbers", () => {
  expect(ticksOf(131, 6)).toEqual([0, 50, 100]);
  expect(ticksOf(1_272, 8)).toEqual([0, 200, 400, 600, 800, 1_000, 1_200]);
  expect(ticksOf(1, 5)).toHaveLength(6);
});
