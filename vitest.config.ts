import { join } from "node:path";
import { configDefaults, defineConfig } from "vitest/config";

// Hundreds of workers load the same packages; compiled once, that costs a third less.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, ".cache/node");

/** Each wait in a test has a limit of its own, which says what was waited for; this is for a test that hangs elsewhere. */
const TIMEOUT_MS = 120_000;

export default defineConfig({
  test: {
    // What takes long and is rarely touched runs by command (pnpm run test:slow), and so does what needs a browser (pnpm run
    // test:browser).
    exclude: [...configDefaults.exclude, "**/*.slow.test.ts", "**/*.browser.test.ts"],
    include: ["{bench,campaign,cli,docs,lua,packages,scripts,services,tests}/**/*.test.ts"],
    globalSetup: "tests/hold-ports.ts",
    setupFiles: [
      "packages/harness/src/vitest/leak-check.ts",
      "packages/harness/src/vitest/patient-waits.ts",
      "packages/harness/src/vitest/seed.ts",
    ],
    // A file runs in a process of its own, so that what it leaves behind is its own.
    pool: "forks",
    // What those processes have in common is transformed once, and not again by the next run.
    fsModuleCache: true,
    // Each file starts servers of its own beside the worker; much of a run is waiting for deadlines, so one more than cores.
    maxWorkers: 3,
    testTimeout: TIMEOUT_MS,
    hookTimeout: TIMEOUT_MS,
    retry: 0,
    // A rare failure must say what it was where only its message is kept.
    chaiConfig: { truncateThreshold: 2_000 },
  },
});
