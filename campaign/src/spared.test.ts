import { expect, it } from "vitest";
import type { ThrownFault } from "./campaign.ts";
import type { Proposed } from "./proposer.ts";
import { sparedOf } from "./spared.ts";

const fault = (fromMs: number, failedOver?: ReadonlySet<number>): ThrownFault => ({
  ...{ kind: "cluster-master-kill", target: "q1", fromMs, toMs: fromMs + 10, recoveredMs: fromMs + 20 },
  ...{ waitedFor: "", ...(failedOver && { failedOver }) },
});
const plan = (symbol: string, atMs: number, outcome: Proposed["outcome"], burst = false): Proposed => ({
  ...{ symbol, atMs, burst, endedAtMs: atMs + 5 },
  ...(outcome && { outcome }),
});
/** A1 is in partition 1. */
const partitionOf = (symbol: string) => Number(symbol.slice(1));

it("counts what others executed while a master failed over, and nothing else", () => {
  const faults = [fault(100, new Set([1])), fault(200), fault(300, new Set([2]))];
  const plans = [
    ...[plan("A2", 100, "EXECUTED"), plan("A3", 110, "BLOCKED"), plan("A3", 105, undefined)],
    // Of the master itself, in a burst, before and after, beside another fault.
    ...[plan("A1", 105, "BLOCKED"), plan("A2", 105, "BLOCKED", true), plan("A2", 99, "BLOCKED")],
    ...[plan("A2", 111, "BLOCKED"), plan("A2", 205, "BLOCKED"), plan("A1", 305, "EXECUTED")],
  ];
  expect(sparedOf(plans, faults, partitionOf)).toEqual({
    plans: 4,
    executed: 2,
    others: { BLOCKED: 1, open: 1 },
  });
  expect(sparedOf(plans, [fault(200)], partitionOf)).toBeUndefined();
});
