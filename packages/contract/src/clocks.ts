/**
 * How far apart the clocks of two hosts may be. NTP keeps them within a few ms; beyond this, a service is not ready, and a
 * time of the future is no time.
 */
export const CLOCK_BOUND_MS = 500;
