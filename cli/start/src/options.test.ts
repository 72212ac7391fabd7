import { expect, it, vi } from "vitest";
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

it("divides a cluster's keys, and no other's", () => {
  expect(parseOptions([])).toMatchObject({ partitions: 1, sentinel: false, cluster: undefined });
  expect(parseOptions(["--sentinel"])).toMatchObject({ partitions: 1, sentinel: true });
  expect(parseOptions(["--cluster"])).toMatchObject({ partitions: 6, cluster: 3 });
  expect(parseOptions(["--cluster", "4", "--partitions", "64"])).toMatchObject({
    partitions: 64,
    cluster: 4,
  });
});

it.each([
  ["--cluster --partitions 1", /a cluster needs more/],
  ["--cluster 2", /from 3/],
  ["--partitions 65", /at most 64/],
  ["--sentinel --cluster", /cannot be used with/],
  ["--sentinel --redis-url redis://h", /cannot be used with/],
  ["--cluster --redis-url redis://h", /cannot be used with/],
])("refuses %s", (args, why) => {
  const error = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const exit = vi.spyOn(process, "exit").mockImplementation((code) => {
    throw new Error(`exit ${code}`);
  });
  expect(() => parseOptions(args.split(" "))).toThrow("exit 1");
  expect(error.mock.calls.join()).toMatch(why);
  exit.mockRestore();
  error.mockRestore();
});

it("takes every option", () => {
  const args =
    "--plans 9 --summary s.json --rate 0.5 --seed 7 --scenario deny --redis-url redis://h:1/2 --partitions 3 --console --verbose";
  expect(parseOptions(args.split(" "))).toEqual({
    plans: 9,
    summary: "s.json",
    proposals: undefined,
    rate: 0.5,
    seed: 7,
    scenario: "deny",
    redisUrl: "redis://h:1/2",
    partitions: 3,
    sentinel: false,
    cluster: undefined,
    console: true,
    verbose: true,
  });
});
