import { defineConfig } from "vitest/config";
import quick from "./vitest.config.ts";

/** The tests that are too slow for every run. */
export default defineConfig({
  test: {
    ...quick.test,
    include: ["{bench,campaign,cli,docs,lua,packages,scripts,services,tests}/**/*.slow.test.ts"],
    exclude: ["**/node_modules/**"],
  },
});
