import { describe, expect, it } from "vitest";
import type { Now } from "../src/api.ts";
import { freshnessOf, isSurelyHalted, SILENT_MS } from "../page/freshness.mjs";
import { ServerClock } from "../page/server-clock.mjs";

const now = { atMs: 1_000_000, away: undefined } as Now;
const seen = { now, heardMs: 5_000, connected: true, localMs: 6_000, serverMs: 1_001_000 };

describe("what is shown", () => {
  it("is not called stale before the first event", () => {
    expect(freshnessOf({ ...seen, now: undefined, heardMs: undefined }).state).toBe("connecting");
  });

  it("is live while events come", () => {
    expect(freshnessOf(seen)).toEqual({ state: "live", forMs: 0 });
  });

  it("is stale when Redis does not answer the console, since the moment that the console names", () => {
    const away = { ...now, away: { sinceMs: 990_000, problem: "no answer" } };
    expect(freshnessOf({ ...seen, now: away })).toEqual({ state: "away", forMs: 11_000 });
  });

  it("is stale when the console says nothing, although the connection seems to stand", () => {
    const localMs = 5_000 + SILENT_MS + 1;
    expect(freshnessOf({ ...seen, localMs })).toEqual({ state: "silent", forMs: SILENT_MS + 1 });
  });

  it("is stale soon after the connection is lost, and not at once: it may come back", () => {
    expect(freshnessOf({ ...seen, connected: false }).state).toBe("live");
    expect(freshnessOf({ ...seen, connected: false, localMs: 8_000 }).state).toBe("silent");
  });
});

describe("the server's clock", () => {
  it("is not known before the first event", () => {
    expect(new ServerClock().nowMs(0)).toBeUndefined();
  });

  it("follows the event that came fastest", () => {
    const clock = new ServerClock();
    clock.heard(1_000_000, 500);
    // 400 ms late, 90 ms late.
    clock.heard(1_001_000, 1_900);
    clock.heard(1_002_000, 2_590);
    expect(clock.nowMs(3_000)).toBe(1_002_500);
  });

  it("follows a step back of Redis's clock, once the events of before are forgotten", () => {
    const clock = new ServerClock();
    clock.heard(9_000_000, 0);
    for (let second = 1; second <= 12; second++) clock.heard(1_000_000 + second * 1_000, second * 1_000);
    expect(clock.nowMs(13_000)).toBe(1_013_000);
  });
});

it("the kill switch can be turned on wherever it is not certain that it is on", () => {
  const on = { killSwitch: { on: true, text: "" } } as Now;
  const off = { killSwitch: { on: false, text: "" } } as Now;
  expect(isSurelyHalted(on, { state: "live", forMs: 0 })).toBe(true);
  expect(isSurelyHalted(off, { state: "live", forMs: 0 })).toBe(false);
  expect(isSurelyHalted(undefined, { state: "connecting", forMs: 0 })).toBe(false);
  for (const state of ["away", "silent"] as const)
    expect(isSurelyHalted(on, { state, forMs: 1 })).toBe(false);
});
