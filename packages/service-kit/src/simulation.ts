/**
 * The issuers' simulation variables: an answer may be delayed, denied or dropped, to test how the pipeline reacts. They
 * are refused at start unless the exchange is simulated.
 */
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { integer, number } from "./config.ts";

const MAX_DELAY_MS = 60_000;

/** The variables of one issuer, with prefix `GOV_SIM` or `P33_SIM`. */
export function simulationVariables<Prefix extends string>(prefix: Prefix) {
  const delayRange = z
    .string()
    .default("0-0")
    .transform((value, context) => {
      const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(value.trim()) ?? [];
      const range = { fromMs: Number(from), toMs: Number(to) };
      if (range.fromMs <= range.toMs && range.toMs <= MAX_DELAY_MS) return range;
      context.addIssue({
        code: "custom",
        message: `must be milliseconds such as 300 or 200-900, at most ${MAX_DELAY_MS}`,
      });
      return z.NEVER;
    })
    .describe("simulation: delay of each answer, in ms, or a range such as 200-900 [0-0]");
  return {
    [`${prefix}_DELAY_MS`]: delayRange,
    [`${prefix}_DENY_RATE`]: number("simulation: share of answers that are denials", 0, { max: 1 }),
    [`${prefix}_DROP_RATE`]: number("simulation: share of plans that get no answer", 0, { max: 1 }),
    [`${prefix}_SEED`]: integer("simulation: seed of the random choices above", 1),
  } as {
    [Name in `${Prefix}_DELAY_MS`]: typeof delayRange;
  } & { [Name in `${Prefix}_${"DENY_RATE" | "DROP_RATE" | "SEED"}`]: ReturnType<typeof number> };
}

export interface Simulation {
  delayMs: { fromMs: number; toMs: number };
  denyRate: number;
  dropRate: number;
  seed: number;
}

/** The values of the {@link simulationVariables} with the same prefix. */
export function simulationOf<Prefix extends string>(
  config: Readonly<
    Record<`${Prefix}_DELAY_MS`, Simulation["delayMs"]> &
      Record<`${Prefix}_${"DENY_RATE" | "DROP_RATE" | "SEED"}`, number>
  >,
  prefix: Prefix,
): Simulation {
  const value = (name: string) => (config as Readonly<Record<string, unknown>>)[`${prefix}_${name}`];
  // TypeScript cannot look up a composed name. The parameter's type guarantees what is asserted here.
  return {
    delayMs: value("DELAY_MS"),
    denyRate: value("DENY_RATE"),
    dropRate: value("DROP_RATE"),
    seed: value("SEED"),
  } as Simulation;
}

export function isActive({ delayMs, denyRate, dropRate }: Simulation): boolean {
  return delayMs.toMs > 0 || denyRate > 0 || dropRate > 0;
}

/** Call before each answer: waits for the simulated delay, then returns what to do with the answer. */
export function createSimulation(simulation: Simulation): () => Promise<"answer" | "deny" | "drop"> {
  const chance = seededRandom(simulation.seed);
  const { fromMs, toMs } = simulation.delayMs;
  return async () => {
    const fate = chance() < simulation.dropRate ? "drop" : chance() < simulation.denyRate ? "deny" : "answer";
    const waitMs = fromMs + chance() * (toMs - fromMs);
    if (waitMs > 0 && fate !== "drop") await delay(waitMs);
    return fate;
  };
}

/**
 * mulberry32: small, seeded, good enough for simulation. Source:
 * https://github.com/bryc/code/blob/master/jshash/PRNGs.md
 */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
