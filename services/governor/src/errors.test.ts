import { describe, expect, it } from "vitest";
import { ErrorWindow } from "./errors.ts";

const HOUR_MS = 3_600_000;
const NOW = 1_769_301_008_977;

function windowOf(limit: number, ...errors: readonly string[]): ErrorWindow {
  const window = new ErrorWindow(HOUR_MS, limit);
  for (const who of errors) window.add(NOW, who === "account" ? "account" : { symbol: who });
  return window;
}

describe("errors concern all", () => {
  it.each([
    [5, ["account", "account", "account", "account", "account"], 5],
    [5, ["account", "account", "account", "account"], undefined],
    [5, ["A", "A", "A", "A", "A", "A", "A"], undefined],
    [5, ["A", "A", "A", "A", "B"], undefined],
    [5, ["A", "A", "A", "B", "B"], 5],
    [5, ["A", "B", "C", "D", "E"], 5],
    [5, ["A", "A", "A", "A", "account", "account"], 5],
    [1, ["A"], undefined],
    [1, ["A", "B"], 2],
    [1, ["account"], 1],
    [Infinity, ["account", "A", "B"], undefined],
  ])("of a limit of %d, %j: %o", (limit, errors, sum) => {
    expect(windowOf(limit, ...errors).concerningAll(NOW)).toBe(sum);
  });

  it("within the window only", () => {
    const window = windowOf(2, "A", "B");
    expect(window.concerningAll(NOW + HOUR_MS - 1)).toBe(2);
    expect(window.concerningAll(NOW + HOUR_MS)).toBeUndefined();
  });
});

describe("a symbol", () => {
  it("is held after too many errors of its own, for half a minute after the last one", () => {
    const window = windowOf(3, "A", "A", "A", "B");
    expect(window.held("A", NOW)).toBe(3);
    expect(window.held("B", NOW)).toBeUndefined();
    expect(window.held("A", NOW + 29_999)).toBe(3);
    expect(window.held("A", NOW + 30_000)).toBeUndefined();
    window.add(NOW + 31_000, { symbol: "A" });
    expect(window.held("A", NOW + 32_000)).toBe(4);
  });

  it("is held for half a minute from now on, where its errors came while Redis's clock was an hour ahead", () => {
    const window = windowOf(3);
    for (let error = 0; error < 3; error += 1) window.add(NOW + HOUR_MS, { symbol: "A" });
    expect(window.held("A", NOW)).toBe(3);
    expect(window.held("A", NOW + 29_999)).toBe(3);
    expect(window.held("A", NOW + 30_000)).toBeUndefined();
  });

  it("is not held any more once an order of it was executed", () => {
    const window = windowOf(2, "A", "A", "B");
    window.forgive("A");
    expect(window.held("A", NOW)).toBeUndefined();
    expect(window.concerningAll(NOW)).toBeUndefined();
  });
});
