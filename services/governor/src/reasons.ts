/** Why the governor disarms everything: a closed set, a metric's label. */
import type { GovernorReason } from "@quantum/contract";

export const BURST_BREACH = "burst_limit_exceeded" satisfies GovernorReason;
export const REPEATED_ERRORS = "repeated_errors";

export const DISARM_REASONS = [BURST_BREACH, REPEATED_ERRORS] as const;
export type DisarmReason = (typeof DISARM_REASONS)[number];
