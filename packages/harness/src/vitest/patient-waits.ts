/** Vitest's setup: waits for a condition last as long as the machine's load asks for, and 10 s unless they say more. */
import { expect, vi } from "vitest";
import { patienceMs } from "../processes/patience.ts";

/** Vitest's own 1 s is exceeded by real processes on a loaded machine. */
const PATIENCE_MS = 10_000;

const { waitFor } = vi;
vi.waitFor = (callback, options = {}) => {
  const { timeout = PATIENCE_MS, ...rest } = typeof options === "number" ? { timeout: options } : options;
  return waitFor(callback, { ...rest, timeout: patienceMs(timeout) });
};

const { poll } = expect;
expect.poll = (probe, { timeout = PATIENCE_MS, ...rest } = {}) =>
  poll(probe, { ...rest, timeout: patienceMs(timeout) });
