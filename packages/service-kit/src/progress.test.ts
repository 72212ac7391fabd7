import { beforeEach, describe, expect, it } from "vitest";
import { Progress } from "./progress.ts";

let nowMs: number;
let progress: Progress;
beforeEach(() => {
  nowMs = 1_000_000;
  progress = new Progress(() => nowMs);
});

describe("a loop", () => {
  it("stands still when its interval has passed without a success, and says what is in its way", async () => {
    let error: Error | undefined;
    const sweep = progress.loop("sweep", 10_000, async () => {
      if (error) throw error;
    });
    progress.begin();
    await sweep();
    error = new Error("WRONGTYPE");
    nowMs += 10_000;
    await expect(sweep()).rejects.toThrow("WRONGTYPE");
    expect(progress.problems()).toEqual([]);
    nowMs += 6_000;
    expect(progress.problems()).toEqual(["every attempt to sweep has failed for 16 s: WRONGTYPE"]);
    error = undefined;
    await sweep();
    expect(progress.problems()).toEqual([]);
  });

  it("that does not come round stands still, too", () => {
    progress.loop("sweep", 10_000, async () => undefined);
    progress.begin();
    nowMs += 16_000;
    expect(progress.problems()).toEqual(["no attempt to sweep has finished for 16 s"]);
  });

  it("is not due before the service has begun", () => {
    progress.loop("sweep", 10_000, async () => undefined);
    nowMs += 60_000;
    expect(progress.problems()).toEqual([]);
    progress.begin();
    expect(progress.problems()).toEqual([]);
  });

  it("passes arguments, result and error on", async () => {
    const twice = progress.loop("double", 1_000, async (n: number) => {
      if (n < 0) throw new Error("negative");
      return 2 * n;
    });
    expect(await twice(4)).toBe(8);
    await expect(twice(-1)).rejects.toThrow("negative");
  });
});

describe("attempts", () => {
  it("stand still when nothing succeeds", () => {
    const tries = progress.attempts("handle entries");
    tries.failed("1-1", "WRONGTYPE");
    expect(progress.problems()).toEqual([]);
    nowMs += 6_000;
    expect(progress.problems()).toEqual([
      "every attempt to handle entries (1-1) has failed for 6 s: WRONGTYPE",
    ]);
    tries.ended("1-1");
    expect(progress.problems()).toEqual([]);
  });

  it("name the piece that is stuck while others get on", () => {
    const tries = progress.attempts("handle entries");
    tries.failed("1-1", "odd");
    nowMs += 1_000;
    tries.ended("1-2");
    nowMs += 9_000;
    tries.failed("1-1", "odd");
    tries.ended("1-3");
    expect(progress.problems()).toEqual([]);
    nowMs += 6_000;
    expect(progress.problems()).toEqual(["every attempt to handle entries (1-1) has failed for 16 s: odd"]);
  });

  it("forget a piece that somebody else has taken over", () => {
    const tries = progress.attempts("handle entries");
    tries.failed("1-1", "odd");
    nowMs += 31_000;
    expect(progress.problems()).toEqual([]);
  });

  it("remember no more names than are of use", () => {
    const tries = progress.attempts("handle entries");
    for (let n = 0; n < 5_000; n++) tries.failed(`${n}`, "full");
    nowMs += 6_000;
    expect(progress.problems()).toEqual(["every attempt to handle entries (0) has failed for 6 s: full"]);
  });

  it("name their partition, where there are several", () => {
    progress.of("q3").attempts("handle entries").failed("1-1", "odd");
    progress.of("").attempts("handle events").failed("1-2", "odd");
    nowMs += 6_000;
    expect(progress.problems()).toEqual([
      "every attempt to handle entries of partition q3 (1-1) has failed for 6 s: odd",
      "every attempt to handle events (1-2) has failed for 6 s: odd",
    ]);
  });
});
