/** Why the governor disarms everything: a closed set, a metric's label. */
import type { GovernorReason } from "@quantum/contract";

/** The denial that this disarm follows. */
export const BURST_DENIAL = "burst_limit_exceeded" satisfies GovernorReason;
/** The Python governor's word for it. */
export const BURST_BREACH = "burst_limit_breach";
export const REPEATED_ERRORS = "repeated_errors";

export const DISARM_REASONS = [BURST_BREACH, REPEATED_ERRORS] as const;
export type DisarmReason = (typeof DISARM_REASONS)[number];
