/** Vitest's setup: `vi.waitFor` gives up after 1 s by default, which real processes on a loaded machine exceed. */
import { vi } from "vitest";

const PATIENCE_MS = 10_000;

const waitFor = vi.waitFor;
vi.waitFor = (callback, options = PATIENCE_MS) => waitFor(callback, options);
