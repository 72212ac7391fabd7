import { expect, it } from "vitest";
import { parseOptions } from "./options.ts";

it("runs the healthy scenario live, at a rate to watch and with a seed of its own", () => {
  expect(parseOptions([])).toMatchObject({ plans: undefined, rate: 2, scenario: "healthy", verbose: false });
  expect(parseOptions([]).seed).toBeGreaterThanOrEqual(0);
});

it("hurries in runs that end by themselves", () => {
  expect(parseOptions(["--plans", "200"]).rate).toBe(50);
  expect(parseOptions(["--proposals", "p.jsonl"]).rate).toBe(50);
  expect(parseOptions(["--plans", "200", "--rate", "5"]).rate).toBe(5);
});

it("serves the console in runs that somebody watches", () => {
  expect(parseOptions([]).console).toBe(true);
  expect(parseOptions(["--no-console"]).console).toBe(false);
  expect(parseOptions(["--plans", "200"]).console).toBe(false);
  expect(parseOptions(["--plans", "200", "--console"]).console).toBe(true);
});

it("takes every option", () => {
  const args =
    "--plans 9 --summary s.json --rate 0.5 --seed 7 --scenario deny --redis-url redis://h:1/2 --console --verbose";
  expect(parseOptions(args.split(" "))).toEqual({
    plans: 9,
    summary: "s.json",
    proposals: undefined,
    rate: 0.5,
    seed: 7,
    scenario: "deny",
    redisUrl: "redis://h:1/2",
    console: true,
    verbose: true,
  });
});
