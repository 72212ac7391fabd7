import { patienceMs } from "@quantum/harness";
import { describe, expect, it } from "vitest";
import { monotonicMs } from "./clock.ts";
import type { Contender } from "./contender.ts";
import { measureLatency, measureThroughput } from "./measure.ts";

const DELAY_MS = 30;
/** What a busy machine may add. A wrong unit, or a time that is counted twice over many works, adds more. */
const SLACK_MS = 500;
const RUN = { from: "wait", ratePerSec: 500, warmupMs: 50, durationMs: 500 } as const;

/** Answers each work a known time after its publication or, if it is driven, after its release. */
function delaying(
  answer: (index: number, say: (ok: boolean) => void) => void,
): Contender & { cleared: number } {
  const contender = {
    name: "delaying",
    cleared: 0,
    publish(index: number, answerAtMs?: number) {
      if (answerAtMs === undefined) this.release(index);
    },
    release: (index: number) => answer(index, (ok) => contender.onVerdict(index, ok, monotonicMs())),
    onVerdict: (_index: number, _ok: boolean, _atMs: number) => undefined as void,
    clear: async () => void (contender.cleared += 1),
    stop: async () => undefined,
  };
  return contender;
}

describe("a latency run", () => {
  it.each(["wait", "wake"] as const)("reports a known delay (%s)", async (from) => {
    const contender = delaying((_, say) => setTimeout(() => say(true), DELAY_MS));
    const figures = await measureLatency(contender, { ...RUN, from });
    expect(figures["p50Ms"]).toBeGreaterThanOrEqual(DELAY_MS - 1);
    expect(figures["p50Ms"]).toBeLessThan(DELAY_MS + patienceMs(SLACK_MS));
    expect(figures).toMatchObject({ refusedShare: 0, unfinishedShare: 0 });
    expect(contender.cleared).toBe(0);
  });

  it("counts the time that a stalled system keeps those behind waiting", async () => {
    let free = 0;
    const contender = delaying((index, say) => {
      // In sequence, with one that takes long.
      free = Math.max(free, monotonicMs()) + (index % 200 === 0 ? 200 : 0);
      setTimeout(() => say(true), Math.max(0, free - monotonicMs()));
    });
    expect((await measureLatency(contender, RUN))["p90Ms"]).toBeGreaterThan(100);
  });

  it("counts refusals apart, and what did not end with the time it has waited", async () => {
    const contender = delaying((index, say) => index % 2 === 0 && setImmediate(() => say(false)));
    const figures = await measureLatency(contender, RUN);
    expect(figures["refusedShare"]).toBeCloseTo(0.5, 1);
    expect(figures["unfinishedShare"]).toBeCloseTo(0.5, 1);
    expect(figures["p50Ms"]).toBeGreaterThan(2_000);
    expect(contender.cleared).toBe(1);
  });
});

describe("a throughput run", () => {
  it("has so many under way as its window, and counts what ends", async () => {
    const contender = delaying((_, say) => setTimeout(() => say(true), DELAY_MS));
    const [window, durationMs] = [10, 600];
    const { plansPerSec } = await measureThroughput(contender, { window, warmupMs: 100, durationMs });
    // One window more may end within the measured time than whole delays fit into it.
    expect(plansPerSec).toBeLessThanOrEqual(((durationMs / DELAY_MS + 2) * window * 1_000) / durationMs);
    expect(plansPerSec).toBeGreaterThan((window * 1000) / (DELAY_MS + patienceMs(SLACK_MS)));
  });
});
