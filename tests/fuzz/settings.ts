/**
 * How much is fuzzed, and from where: a short run with a new seed in the suite, a long one by
 * `pnpm fuzz --runs 100000 --seed 7`. A failure names the seed; the same seed gives the same inputs.
 */
import fc from "fast-check";

/** The kinds of input, one property each: the runs are shared out among them. */
const KINDS = 8;
const SUITE_RUNS = 2_000;
/** Fed at once, then accounted for: bounds what streams and tests hold. */
const BATCH = 250;
const START_MS = 30_000;
/** Damage can make a service wait for a minute, once a batch. */
const BATCH_MS = 90_000;

export const SEED = Number(process.env["TEST_SEED"] ?? Math.floor(Math.random() * 0x7fffffff));
const RUNS = Math.ceil(Number(process.env["FUZZ_RUNS"] ?? SUITE_RUNS) / KINDS);

export const TIMEOUT_MS = START_MS + Math.ceil(RUNS / BATCH) * BATCH_MS;

/** This run's inputs of one kind, in batches. The first begins with `certain` ones: what no seed may leave out. */
export function* batchesOf<T>(input: fc.Arbitrary<T>, certain: readonly T[] = []): Generator<T[]> {
  for (let done = 0; done < RUNS; done += BATCH) {
    const inputs = fc.sample(input, { numRuns: Math.min(BATCH, RUNS - done), seed: SEED + done });
    yield done === 0 ? [...certain, ...inputs] : inputs;
  }
}
