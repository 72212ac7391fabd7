/**
 * How long a test waits for what other processes do. A wait that ends well ends with its condition, so patience costs
 * time only where something is wrong.
 */
import { availableParallelism, loadavg } from "node:os";

/** A load beyond that makes no wait longer: what is wrong must be told before the test's own limit. */
const FACTOR_MAX = 4;

/** `ms`, or as many times longer as more processes want to run than there are cores. */
export function patienceMs(ms: number): number {
  const [load = 0] = loadavg();
  return Math.round(ms * Math.min(FACTOR_MAX, Math.max(1, load / availableParallelism())));
}
