/** One service, killed at every step of one plan's path and started again: nothing is lost, nothing is doubled. */
import { expect, it } from "vitest";
import type { PipelineName } from "@quantum/topology";
import { enumerateCrashPoints, type EnumerationOptions } from "./enumerate.ts";

const TIMEOUT_MS = 120_000;

/** The wire's, and that of a cluster of three masters. */
export const LAYOUTS = [1, 6];

export const READ = "after XREADGROUP GROUP #1";
export const scriptSteps = (name: string) => [`before EVALSHA ${name} #1`, `after EVALSHA ${name} #1`];

/** @param mustHit steps that it must have killed at, so that a pass that hits nothing fails */
export function survivesAKillAtEveryStep(
  victim: PipelineName,
  mustHit: readonly string[],
  options: EnumerationOptions = {},
): void {
  it("loses nothing and doubles nothing, killed at every step", { timeout: TIMEOUT_MS }, async () => {
    const { points, missed, troubles } = await enumerateCrashPoints(victim, options);
    console.log(`${victim}, killed ${points.join(", ")}; not met again: ${missed.join(", ") || "none"}`);
    expect(troubles).toEqual([]);
    expect(points).toEqual(expect.arrayContaining([...mustHit]));
  });
}
