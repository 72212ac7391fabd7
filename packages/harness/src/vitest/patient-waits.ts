/** Vitest setup: extends waits for a condition under load. The default is 10 s. */
import { expect, vi } from "vitest";
import { patienceMs } from "../processes/patience.ts";

/** Real processes on a busy machine exceed Vitest's default of 1 s. */
const PATIENCE_MS = 10_000;

const { waitFor, waitUntil } = vi;
vi.waitFor = (callback, options = {}) => {
  const { timeout = PATIENCE_MS, ...rest } = typeof options === "number" ? { timeout: options } : options;
  return waitFor(callback, { ...rest, timeout: patienceMs(timeout) });
};

vi.waitUntil = (callback, options = {}) => {
  const { timeout = PATIENCE_MS, ...rest } = typeof options === "number" ? { timeout: options } : options;
  return waitUntil(callback, { ...rest, timeout: patienceMs(timeout) });
};

const { poll } = expect;
expect.poll = (probe, { timeout = PATIENCE_MS, ...rest } = {}) =>
  poll(probe, { ...rest, timeout: patienceMs(timeout) });
