/**
 * The ids by which every service knows a plan's trace and the parents of its spans. They are derived from what the wire
 * carries anyway, so nothing is added to it, and whoever knows a plan's id finds its trace (docs/adr/0031).
 */
import { hash } from "node:crypto";

const TRACE_ID_DIGITS = 32;
const SPAN_ID_DIGITS = 16;

/** The trace of a plan. All its attempts are in it; 32 hex digits. */
export function traceIdOf(planId: string): string {
  return hash("sha256", `trace ${planId}`, "hex").slice(0, TRACE_ID_DIGITS);
}

/**
 * A span of an attempt: its root, or with a name one below that. A span that is reported twice has one id; 16 hex digits.
 * @param attempt id of the plan's entry in `apply.plan`
 */
export function spanIdOf(planId: string, attempt: string, ...name: readonly string[]): string {
  return hash("sha256", ["span", planId, attempt, ...name].join(" "), "hex").slice(0, SPAN_ID_DIGITS);
}
