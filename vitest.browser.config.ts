import { defineConfig } from "vitest/config";
import quick from "./vitest.config.ts";

/** The tests of the console's page, in a real browser. */
export default defineConfig({
  test: {
    ...quick.test,
    include: ["tests/browser/**/*.browser.test.ts"],
    exclude: ["**/node_modules/**"],
    // Each file has a whole pipeline and a browser.
    maxWorkers: 1,
  },
});
