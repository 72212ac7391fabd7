/** Why the governor disarms: a closed set, used as a metric label. */
import type { GovernorReason } from "@quantum/contract";

/** The denial that leads to this disarm. */
export const BURST_DENIAL = "burst_limit_exceeded" satisfies GovernorReason;
/** The Python governor's name for it. */
export const BURST_BREACH = "burst_limit_breach";
export const REPEATED_ERRORS = "repeated_errors";

export const DISARM_REASONS = [BURST_BREACH, REPEATED_ERRORS] as const;
export type DisarmReason = (typeof DISARM_REASONS)[number];
