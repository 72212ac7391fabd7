import type { Pause } from "@quantum/exchange";

const MS_PER_SECOND = 1000;

/** Until when the venue wants to be left alone, and why; for people. */
export function untilText({ leftMs, reason }: Pause, nowMs: number): string {
  const end = new Date(nowMs + leftMs).toISOString();
  return `the exchange wants a pause until ${end} (${Math.ceil(leftMs / MS_PER_SECOND)} s): ${reason}`;
}
