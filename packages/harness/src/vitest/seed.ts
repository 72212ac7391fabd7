/** Vitest setup: `TEST_SEED` repeats the inputs of the property tests. Without it, each run has its own seed. */
const seed = process.env["TEST_SEED"];
if (seed !== undefined) {
  const { default: fc } = await import("fast-check");
  fc.configureGlobal({ seed: Number(seed) });
}
