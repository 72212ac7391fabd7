/**
 * How far apart the clocks of two hosts may be. NTP keeps them within a few ms; beyond this, a service is not ready, and a
 * future timestamp is invalid.
 */
export const CLOCK_BOUND_MS = 500;
