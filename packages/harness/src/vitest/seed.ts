/** Vitest's setup: `TEST_SEED` repeats the inputs of the property tests; without it each run has a seed of its own. */
const seed = process.env["TEST_SEED"];
if (seed !== undefined) {
  const { default: fc } = await import("fast-check");
  fc.configureGlobal({ seed: Number(seed) });
}
