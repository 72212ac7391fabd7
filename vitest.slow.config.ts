import { defineConfig } from "vitest/config";
import quick from "./vitest.config.ts";

/** The tests that are too slow for every run. */
export default defineConfig({
  test: {
    ...quick.test,
    include: ["{bench,lua,packages,services,scripts,tests}/**/*.slow.test.ts"],
    exclude: ["**/node_modules/**"],
  },
});
