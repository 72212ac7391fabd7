import type { Overview } from "@quantum/operator";
import fc from "fast-check";
import stringWidth from "string-width";
import type { Line } from "@quantum/service-kit";
import { describe, expect, it } from "vitest";
import { fitted, whole } from "./status-screen.ts";
import { overview } from "./overview.fixture.ts";
import { WINDOWS } from "./terminal.fixture.ts";

function textOf(line: Line): string {
  const parts = typeof line === "string" || "style" in line ? [line] : line;
  return parts.map((part) => (typeof part === "string" ? part : part.text)).join("");
}

const many = (count: number, reason: string): Overview =>
  overview({ symbols: Array.from({ length: count }, (_, index) => `S${index}USDT`), reason });

describe.each(WINDOWS)("a window of $columns by $rows", (window) => {
  const shownIn = (status: Overview) => fitted(status, window).map(textOf);

  it("holds every screen, whatever its texts", () => {
    fc.assert(
      fc.property(fc.nat(60), fc.string({ unit: "grapheme", maxLength: 300 }), (count, reason) => {
        const lines = shownIn(many(count, reason));
        expect(lines.length).toBeLessThan(window.rows);
        for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(window.columns);
      }),
      { numRuns: 50 },
    );
  });

  it("shows what matters most, and says what it does not show", () => {
    const lines = shownIn(many(40, "maximum notional for the day"));
    const text = lines.join("\n");
    expect(lines[1]).toMatch(/^kill switch +ON for 5 min, by alice@host: maximum/);
    expect(lines[2]).toMatch(/^unfulfilled +close of S\d+USDT for \d+ min/);
    expect(text).toMatch(/^unfulfilled +and 37 more: /m);
    for (const state of ["in doubt", "disarm", "exit", "last OK", "last BLOCK"])
      expect(text).toMatch(new RegExp(`^${state} `, "m"));
    expect(text).toMatch(/^ {2}services +reads +ready/m);
    // The one that is not ready is on top, and one on another host is no "yes".
    expect(text).toMatch(/^ {2}executor@b:8049 +yes +the exchange gave no answer/m);
    expect(text).toMatch(/^ {2}S0USDT +0 +0 +3\/30 +12\/100 +0\.046\+4100\/50000 +4829\+50\.41\/100000$/m);
    expect(text).toMatch(/… \d+ more/);
  });

  it("has room for the symbols where nothing else needs attention", () => {
    const status = many(6, "");
    const calm = {
      ...status,
      services: status.services.filter(({ probe }) => probe?.ready !== false),
      symbols: status.symbols.map((symbol) => ({ ...symbol, unfulfilled: null })),
    };
    const text = shownIn(calm).join("\n");
    expect(text).toMatch(/^ {2}S5USDT +0 +0 +3\/30/m);
    expect(text).toMatch(/^services +1 ready, 1 not asked$|^ {2}governor@a:8044 +yes +not asked/m);
    expect(text).not.toContain("more");
  });

  it("marks what is no longer so", () => {
    const away = { sinceMs: 1_000, nowMs: 13_000, problem: "Redis at redis://a does not answer" };
    const [first, second, ...others] = fitted(many(3, ""), window, away);
    expect(textOf(first ?? "")).toMatch(/^NO ANSWER for 12 s, since 1970-01-01T00:00:01\.000Z: Redis at/);
    expect(textOf(second ?? "")).toContain("STALE");
    expect(others.flat().every((part) => typeof part !== "string" && part.style === "dim")).toBe(true);
  });
});

it("an amount that cannot be read is none", () => {
  const status = many(1, "");
  const symbols = status.symbols.map((symbol) => ({
    ...symbol,
    limits: { ...symbol.limits, chargedQty: "", reservedNotional: "" },
  }));
  const text = whole({ ...status, symbols })
    .map(textOf)
    .join("\n");
  expect(text).toMatch(/^ {2}S0USDT +0 +0 +3\/30 +12\/100 +\?\+4100\/50000 +4829\+\?\/100000$/m);
});

it("a service that was not asked is never ready", () => {
  const text = whole(many(1, "")).map(textOf).join("\n");
  expect(text).toMatch(/^ {2}governor@a:8044 +yes +not asked +not asked$/m);
  expect(text).toMatch(/^ {2}apply-layer@here:8043 +yes +yes +0\.1\.0 \(commit abc\)$/m);
});

it("a service of which no instance is left needs attention, one that another replaces does not", () => {
  const status = many(1, "");
  const [running] = status.services;
  const gone = (instance: string) => ({
    service: instance.slice(0, instance.indexOf("@")),
    instance,
    alive: false,
    probe: undefined,
  });
  const lines = whole({
    ...status,
    services: [...status.services.slice(0, 1), gone("apply-layer@old:1"), gone("p33@a:1")],
  }).map(textOf);
  const services = lines.slice(lines.indexOf("services") + 2, lines.indexOf("symbols") - 1);
  expect(services.map((line) => line.trim().replaceAll(/ {2,}/g, "  "))).toEqual([
    "p33@a:1  no: gone  no p33 is running",
    `${running?.instance}  yes  yes  0.1.0 (commit abc)`,
    "apply-layer@old:1  no: gone",
  ]);
});

it("limits that are not known are left out", () => {
  const text = whole(overview({ symbols: ["BTCUSDT"], reason: "", caps: false }))
    .map(textOf)
    .join("\n");
  expect(text).toMatch(/^ {2}BTCUSDT +0 +0 +3 +12 +0\.046\+4100 +4829\+50\.41$/m);
});

it("a Redis without a pipeline says so before all else", () => {
  const [, second] = whole({ ...overview({ symbols: [], reason: "" }), groups: [] });
  expect(textOf(second ?? "")).toMatch(
    /^NO PIPELINE +no service of a pipeline has ever started on this Redis/,
  );
});
