import { patienceMs } from "@quantum/harness";
import { describe, expect, it } from "vitest";
import { monotonicMs } from "./clock.ts";
import { openLoop } from "./open-loop.ts";

const STALL_MS = 100;

describe("the generator", () => {
  it("keeps its rate, and sends nothing before its time", async () => {
    const early: number[] = [];
    const startedAt = monotonicMs();
    const lag = await openLoop({
      ratePerSec: 2_000,
      count: 1_000,
      send: (_, dueMs) => monotonicMs() < dueMs && early.push(dueMs),
    });
    expect(monotonicMs() - startedAt).toBeGreaterThanOrEqual(499);
    expect(early).toEqual([]);
    // Only the median, because other programs may stop this process at any moment.
    expect(lag.p50).toBeLessThan(patienceMs(100));
  });

  it("does not move the intended times when a send is held up, and says how late it was", async () => {
    const due: number[] = [];
    const lag = await openLoop({
      ratePerSec: 1_000,
      count: 200,
      send(index, dueMs) {
        due.push(dueMs);
        if (index === 50) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS);
      },
    });
    expect((due.at(-1) ?? 0) - (due[0] ?? 0)).toBeCloseTo(199, 3);
    expect(lag.max).toBeGreaterThan(STALL_MS - 2);
  });
});
