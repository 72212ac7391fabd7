/**
 * How long tests wait for other processes. A successful wait ends when its condition holds, so a longer timeout only
 * costs time in a failure.
 */
import { availableParallelism, loadavg } from "node:os";

/** Higher loads extend waits no further, so that a failure is reported before the test's own timeout. */
const FACTOR_MAX = 4;

/** `ms`, extended by the ratio of runnable processes to cores. */
export function patienceMs(ms: number): number {
  const [load = 0] = loadavg();
  return Math.round(ms * Math.min(FACTOR_MAX, Math.max(1, load / availableParallelism())));
}
