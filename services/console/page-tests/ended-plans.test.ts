import { expect, it } from "vitest";
import type { PlanRow } from "../src/api.ts";
import { signOf, withNews } from "../page/ended-plans.mjs";

const row = (planId: string, atMs: number, outcome: string) => ({ planId, atMs, outcome }) as PlanRow;
const told = (rows: readonly PlanRow[]) => rows.map(({ planId, outcome }) => `${planId} ${outcome}`);

it("shows each plan once, with the last that was told of it", () => {
  const first = withNews([], [row("b", 2, "PERMITTED"), row("a", 1, "BLOCKED")]);
  const then = withNews(first, [row("b", 3, "EXECUTED")]);
  expect(told(then)).toEqual(["b EXECUTED", "a BLOCKED"]);
  expect(told(withNews([], [row("c", 5, "EXECUTED"), row("c", 4, "PERMITTED")]))).toEqual(["c EXECUTED"]);
});

it("is not moved by what is told twice", () => {
  const rows = [row("b", 2, "EXECUTED"), row("a", 1, "BLOCKED")];
  expect(withNews(rows, rows)).toEqual(rows);
});

it("has a sign of each plan, which changes with what is told of it", () => {
  const rows = [row("a", 1, "PERMITTED")];
  const before = signOf(rows, "a");
  expect(signOf(withNews(rows, [row("a", 2, "EXECUTED")]), "a")).not.toBe(before);
  expect(signOf(rows, "b")).toBe("");
});
