/** Shared by the command lines of runs and campaigns: whole numbers and seeds. */
import { InvalidArgumentError } from "commander";

const SEED_MAX = 2 ** 31 - 1;
/** Short enough to retype. */
const RANDOM_SEED_MAX = 1_000_000;

export function randomSeed(): number {
  return Math.floor(Math.random() * RANDOM_SEED_MAX);
}

/** A commander parser for a whole number from `min` to {@link SEED_MAX}. */
export function wholeNumber(min: number) {
  return (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= SEED_MAX) return value;
    throw new InvalidArgumentError(`A whole number from ${min} to ${SEED_MAX} is needed.`);
  };
}
