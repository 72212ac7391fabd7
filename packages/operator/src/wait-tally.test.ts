import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PlanRow } from "./plan-rows.ts";
import { WaitTally } from "./wait-tally.ts";
import type { LastWait } from "./waits.ts";

const MINUTE_MS = 60_000;
/** Begins a minute. */
const NOW_MS = 1_769_301_000_000;
const PLAN = { planId: "67e6da21fa9fe506", symbol: "BTCUSDT" };

const ok = (atMs: number, waitMs: number): LastWait => {
  return { ...PLAN, kind: "ok", atMs, waitMs, safeQty: "0.1", reason: "" };
};
const block = (atMs: number, waitMs: number): LastWait => {
  return { ...PLAN, kind: "blocked", atMs, waitMs, reason: "missing_p33", detail: "", permitTtls: new Map() };
};
const ended = (atMs: number, outcome: string, reason: string, detail = ""): PlanRow => {
  const rest = { executedQty: "", waitMs: undefined, class: "", corrects: "" };
  return { ...PLAN, atMs, outcome, reason, detail, ...rest };
};

function begun(knownFromMs = 0): WaitTally {
  const tally = new WaitTally();
  tally.begin(new Map([["stream", "0-0"]]), new Map(), knownFromMs);
  return tally;
}

describe("the waits of the last hour", () => {
  it("are counted by class, permitted and blocked apart, with the percentiles of both", () => {
    const tally = begun();
    for (let waitMs = 1; waitMs <= 99; waitMs += 1) tally.addWait(ok(NOW_MS, waitMs));
    tally.addWait(block(NOW_MS + 1, 9_000));
    const { boundsMs, minutes } = tally.history(NOW_MS + 5);
    expect(minutes).toHaveLength(60);
    const last = minutes.at(-1);
    expect(boundsMs.slice(0, 7)).toEqual([1, 2, 5, 10, 20, 50, 100]);
    expect(last?.permitted.slice(0, 7)).toEqual([1, 1, 3, 5, 10, 30, 49]);
    expect(last?.blocked).toEqual([...boundsMs.map(() => 0), 1]);
    expect(last).toMatchObject({ startMs: NOW_MS, p50Ms: 50, p99Ms: 99 });
  });

  it("have a minute for each minute, also one without plans, and none that nothing is known of", () => {
    const tally = begun(NOW_MS - 3 * MINUTE_MS + 5);
    tally.addWait(ok(NOW_MS - 3 * MINUTE_MS + 10, 7));
    const { minutes } = tally.history(NOW_MS);
    expect(minutes.map(({ startMs, p50Ms }) => [(startMs - NOW_MS) / MINUTE_MS, p50Ms])).toEqual([
      [-3, 7],
      [-2, undefined],
      [-1, undefined],
      [0, undefined],
    ]);
  });

  it("forget what is older than an hour, however many minutes have come", () => {
    const tally = begun();
    for (let minute = 0; minute < 200; minute += 1) tally.addWait(ok(NOW_MS + minute * MINUTE_MS, 7));
    const { minutes } = tally.history(NOW_MS + 199 * MINUTE_MS);
    expect(minutes.map(({ permitted }) => permitted[3])).toEqual(Array.from({ length: 60 }, () => 1));
    expect(tally.history(NOW_MS).minutes.map(({ permitted }) => permitted[3])).not.toContain(1);
  });

  it("have the percentiles that sorting all of them would give, and each wait in one class", () => {
    const waits = fc.array(fc.record({ waitMs: fc.nat(5_000), isOk: fc.boolean() }), { minLength: 1 });
    fc.assert(
      fc.property(waits, (all) => {
        const tally = begun();
        for (const { waitMs, isOk } of all) tally.addWait((isOk ? ok : block)(NOW_MS, waitMs));
        const sorted = all.map(({ waitMs }) => waitMs).toSorted((a, b) => a - b);
        const rank = (share: number) => sorted[Math.ceil(share * sorted.length) - 1];
        const last = tally.history(NOW_MS).minutes.at(-1);
        expect([last?.p50Ms, last?.p99Ms]).toEqual([rank(0.5), rank(0.99)]);
        const counted = [...(last?.permitted ?? []), ...(last?.blocked ?? [])];
        expect(counted.reduce((sum, count) => sum + count, 0)).toBe(all.length);
      }),
    );
  });

  it("are told again once something was added", () => {
    const tally = begun();
    tally.addWait(ok(NOW_MS, 7));
    const before = tally.history(NOW_MS).minutes.at(-1);
    expect(tally.history(NOW_MS).minutes.at(-1)).toBe(before);
    tally.addWait(ok(NOW_MS, 7));
    expect(tally.history(NOW_MS).minutes.at(-1)?.permitted[3]).toBe(2);
  });
});

describe("the reasons", () => {
  const reasonsOf = (tally: WaitTally) => tally.history(NOW_MS).minutes.at(-1)?.reasons;

  it("are those of plans that were blocked or skipped; of a denial the issuer's own", () => {
    const tally = begun();
    tally.addResult(ended(NOW_MS, "BLOCKED", "governor_permit_denied", "hourly_limit_exceeded"));
    tally.addResult(ended(NOW_MS, "BLOCKED", "missing_p33"));
    tally.addResult(ended(NOW_MS, "SKIP", "action_hold"));
    tally.addResult(ended(NOW_MS, "REJECTED", "rejected_for_account", "-2019"));
    tally.addResult(ended(NOW_MS, "EXECUTED", ""));
    expect(reasonsOf(tally)).toEqual({ hourly_limit_exceeded: 1, missing_p33: 1, action_hold: 1 });
  });

  it("stay few and short, whatever somebody writes to the stream", () => {
    const tally = begun();
    for (let n = 0; n < 500; n += 1) tally.addResult(ended(NOW_MS, "BLOCKED", `${n} ${"x".repeat(5_000)}`));
    const reasons = reasonsOf(tally) ?? {};
    expect(Object.keys(reasons)).toHaveLength(101);
    expect(reasons["other"]).toBe(400);
    expect(Math.max(...Object.keys(reasons).map(({ length }) => length))).toBe(100);
  });
});

it("the last verdicts and a symbol's last result are the newest, in whatever order they come", () => {
  const tally = begun();
  tally.addWait(ok(NOW_MS + 5, 1));
  tally.addWait(ok(NOW_MS, 2));
  tally.addWait(block(NOW_MS, 3));
  expect([tally.lastOk?.waitMs, tally.lastBlock?.waitMs]).toEqual([1, 3]);
  tally.addResult(ended(NOW_MS, "SKIP", "action_hold"));
  tally.addResult(ended(NOW_MS, "BLOCKED", "missing_p33"));
  expect(tally.lastResultOf("BTCUSDT")?.outcome).toBe("BLOCKED");
  expect(tally.lastResultOf("ETHUSDT")).toBeUndefined();
});
