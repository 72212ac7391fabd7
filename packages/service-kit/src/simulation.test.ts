import { assert, integer, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { readConfig } from "./config.ts";
import { createSimulation, isActive, seededRandom, simulationOf, simulationVariables } from "./simulation.ts";

const QUIET = { delayMs: { fromMs: 0, toMs: 0 }, denyRate: 0, dropRate: 0, seed: 1 };
const source = { schema: z.object(simulationVariables("P33_SIM")), ownPrefixes: ["P33_"] };
const read = (environment: Record<string, string>) => readConfig(source, environment).config;

async function fates(simulation: typeof QUIET, count: number) {
  const next = createSimulation(simulation);
  const seen: string[] = [];
  for (let n = 0; n < count; n++) seen.push(await next());
  return seen;
}

describe("the simulator's variables", () => {
  it("are quiet by default", () => {
    expect(read({})).toEqual({
      P33_SIM_DELAY_MS: { fromMs: 0, toMs: 0 },
      P33_SIM_DENY_RATE: 0,
      P33_SIM_DROP_RATE: 0,
      P33_SIM_SEED: 1,
    });
    expect(isActive(QUIET)).toBe(false);
    expect(simulationOf(read({}), "P33_SIM")).toEqual(QUIET);
  });

  it("take a delay as one number or a range", () => {
    expect(read({ P33_SIM_DELAY_MS: "300" }).P33_SIM_DELAY_MS).toEqual({ fromMs: 300, toMs: 300 });
    expect(read({ P33_SIM_DELAY_MS: "200-900" }).P33_SIM_DELAY_MS).toEqual({ fromMs: 200, toMs: 900 });
  });

  it.each([
    ["P33_SIM_DELAY_MS", "900-200"],
    ["P33_SIM_DELAY_MS", "0-60001"],
    ["P33_SIM_DELAY_MS", "fast"],
    ["P33_SIM_DELAY_MS", "-5"],
    ["P33_SIM_DENY_RATE", "1.1"],
    ["P33_SIM_DROP_RATE", "-0.1"],
  ])("refuse %s=%s", (name, value) => expect(() => read({ [name]: value })).toThrow(`${name}="${value}"`));

  it.each([{ denyRate: 0.1 }, { dropRate: 0.1 }, { delayMs: { fromMs: 0, toMs: 1 } }])(
    "are active with %j",
    (knob) => expect(isActive({ ...QUIET, ...knob })).toBe(true),
  );
});

describe("a simulation", () => {
  it("answers, denies or drops everything at its extremes", async () => {
    expect(new Set(await fates(QUIET, 50))).toEqual(new Set(["answer"]));
    expect(new Set(await fates({ ...QUIET, denyRate: 1 }, 50))).toEqual(new Set(["deny"]));
    expect(new Set(await fates({ ...QUIET, denyRate: 1, dropRate: 1 }, 50))).toEqual(new Set(["drop"]));
  });

  it("repeats with its seed, and keeps about to its rates", async () => {
    const half = { ...QUIET, denyRate: 0.5, seed: 7 };
    const seen = await fates(half, 400);
    expect(await fates(half, 400)).toEqual(seen);
    expect(await fates({ ...half, seed: 8 }, 400)).not.toEqual(seen);
    const denied = seen.filter((fate) => fate === "deny").length;
    expect(denied).toBeGreaterThan(150);
    expect(denied).toBeLessThan(250);
  });

  it("waits as long as it is told to, but not for an answer that never comes", async () => {
    const delayMs = { fromMs: 30, toMs: 40 };
    const startedAt = performance.now();
    await createSimulation({ ...QUIET, delayMs })();
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(29);
    expect(
      await createSimulation({ ...QUIET, delayMs: { fromMs: 60_000, toMs: 60_000 }, dropRate: 1 })(),
    ).toBe("drop");
  });
});

describe("seededRandom", () => {
  it("stays within [0, 1) and repeats, for any seed", () => {
    assert(
      property(integer(), (seed) => {
        const [a, b] = [seededRandom(seed), seededRandom(seed)];
        for (let n = 0; n < 20; n++) {
          const value = a();
          expect(value).toBe(b());
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThan(1);
        }
      }),
    );
  });
});
