import { expect, it } from "vitest";
import { withRun } from "./table.ts";
import type { Summary } from "./summary.ts";

const summary = (over: Partial<Summary>): Summary => ({
  seed: 7,
  commit: "fd16f66",
  date: "2026-11-24",
  minutes: 8,
  plans: 20_000,
  faults: 3,
  faults_by_kind: { kill: 1, "order -1007": 2 },
  orders: 19_000,
  doubled: 0,
  lost: 0,
  unauthorised: 0,
  in_doubt: 0,
  forgotten: 4,
  longest_recovery_ms: 6_144,
  longest_recovery_after: "order -4116 (BTCUSDT)",
  executed_share: 0.997,
  spared: null,
  unclosable_longest_ms: 6_500,
  unclosable_longest_after: "kill",
  unclosable_total_ms: 20_040,
  checks: {} as Summary["checks"],
  exits: [],
  ...over,
});

const EMPTY =
  "# Reliability\n\n<!-- campaigns: written by `pnpm chaos --record` -->\n\n<!-- end of campaigns -->\n\nafter\n";

it("adds a row for each run, sums, and counts faults by kind", () => {
  const once = withRun(EMPTY, summary({}));
  const twice = withRun(once, summary({ seed: 8, minutes: 0.5, faults_by_kind: { kill: 4 } }));
  const lines = twice.split("\n");
  expect(lines.filter((line) => /^\| 2026/.test(line))).toHaveLength(2);
  expect(lines).toContain(
    "| 2026-11-24 | fd16f66 | 7 | 8 | 20000 | 3 | 19000 | 0 | 0 | 0 | 0 | 4 | 6.1 s, order -4116 | 99.7 % | 6.5 s after kill, 20.0 s |",
  );
  expect(twice).toContain(
    "| **all** | | | **8.5** | **40000** | **6** | **38000** | **0** | **0** | **0** | **0** | **8** |",
  );
  expect(lines.filter((line) => line.startsWith("| `"))).toEqual(["| `kill` | 5 |", "| `order -1007` | 2 |"]);
  expect(twice.startsWith("# Reliability\n")).toBe(true);
  expect(twice.endsWith("\n\nafter\n")).toBe(true);
});

it("survives a formatter, which pads cells", () => {
  const padded = withRun(EMPTY, summary({})).replaceAll(" | ", "   |  ");
  expect(withRun(padded, summary({}))).toContain("**40000**");
});

it("refuses a document without its place", () => {
  expect(() => withRun("# Reliability\n", summary({}))).toThrow("docs/reliability.md lacks");
});
