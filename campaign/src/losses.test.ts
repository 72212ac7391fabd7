import { describe, expect, it } from "vitest";
import { type StreamName, type StreamRef, streamRef } from "@quantum/harness";
import { Losses } from "./losses.ts";
import { Recorder } from "./record.ts";

const PLANS = ["1".repeat(16), "2".repeat(16)] as const;
const result = (plan: string, attempt: string) => ({
  plan_id: plan,
  symbol: "BTCUSDT",
  decision: "EXECUTE",
  executed: "False",
  attempt,
  outcome: "NOT_PLACED",
});
const planEntry = (plan: string) => ({
  plan_id: plan,
  symbol: "BTCUSDT",
  action: "FULL_CLOSE_PROPOSED",
  kill_score: "0.3",
  decision: "EXECUTE",
  steps: "[]",
});
const seen = (entries: Partial<Record<StreamName, string>>) =>
  new Map<StreamRef, string>(
    Object.entries(entries).map(([stream, id]) => [streamRef(stream as StreamName, 0), id]),
  );

describe("what Redis was made to forget", () => {
  it("is what lay between the last entry that survived and the last one that was seen", () => {
    const losses = new Losses();
    losses.add({ seen: seen({ plan: "20-3" }), survived: seen({ plan: "9-1" }) }, new Recorder());
    const erased = ["9-0", "9-1", "9-2", "20-3", "20-4"].filter((id) => losses.isErased("plan", id));
    expect(erased).toEqual(["9-2", "20-3"]);
    expect(losses.isErased("result", "10-0")).toBe(false);
  });

  it("is everything where nothing survived", () => {
    const losses = new Losses();
    losses.add({ seen: seen({ plan: "20-3" }), survived: new Map() }, new Recorder());
    expect(losses.isErased("plan", "1-0")).toBe(true);
    expect(losses.isErased("plan", "21-0")).toBe(false);
  });

  it("tells an entry that has come since from the one of the same id that is gone", () => {
    const history = new Recorder();
    history.take("plan", "10-0", planEntry(PLANS[0]));
    history.take("result", "11-0", result(PLANS[0], "10-0"));
    const losses = new Losses();
    losses.add({ seen: history.lastIds, survived: new Map() }, history);
    history.take("plan", "10-0", planEntry(PLANS[1]));
    history.take("result", "11-0", result(PLANS[1], "10-0"));
    const [gone, came] = history.plans;
    expect([gone, came].map((plan) => losses.isErased("plan", plan?.attempt ?? ""))).toEqual([true, false]);
    expect(history.results.map(({ attempt }) => attempt)).toEqual([gone?.attempt, came?.attempt]);
    expect(gone?.attempt).not.toBe(came?.attempt);
    // A later loss may remove what came after the first.
    losses.add({ seen: history.lastIds, survived: new Map() }, history);
    expect(losses.isErased("plan", came?.attempt ?? "")).toBe(true);
  });

  it("is a plan alone where its proposal is on another server", () => {
    const alone = new Losses();
    alone.add({ seen: seen({ plan: "20-3" }), survived: new Map() }, new Recorder());
    expect(["20-3", "20-4"].map((attempt) => alone.isPlanAlone(attempt))).toEqual([true, false]);
    const together = new Losses();
    together.add({ seen: seen({ plan: "20-3", proposal: "20-2" }), survived: new Map() }, new Recorder());
    expect(together.isPlanAlone("20-3")).toBe(false);
  });

  it("ends the waiting for plans that cannot end any more, and for no others", () => {
    const history = new Recorder();
    for (const plan of PLANS) history.take("plan", `1${PLANS.indexOf(plan)}-0`, planEntry(plan));
    expect(history.open.size).toBe(2);
    history.take("result", "12-0", result(PLANS[0], "10-0"));
    const losses = new Losses();
    losses.add({ seen: history.lastIds, survived: new Map() }, history);
    expect(history.open.size).toBe(0);
    expect([...history.forgotten]).toEqual([PLANS[1]]);
  });
});
