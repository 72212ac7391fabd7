import { defineConfig } from "vitest/config";
import quick from "./vitest.config.ts";

/** The tests that are too slow for every run. */
export default defineConfig({
  test: { ...quick.test, include: ["packages/**/*.slow.test.ts"], exclude: ["**/node_modules/**"] },
});
