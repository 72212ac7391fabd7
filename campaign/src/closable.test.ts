import { expect, it } from "vitest";
import type { ThrownFault } from "./campaign.ts";
import { closableOf } from "./closable.ts";
import type { Proposed } from "./proposer.ts";

const plan = (atMs: number, endedAtMs: number, over: Partial<Proposed> = {}): Proposed => ({
  symbol: "BTCUSDT",
  atMs,
  endedAtMs,
  burst: false,
  outcome: "EXECUTED",
  ...over,
});
const blocked = (atMs: number, reason = "quantity_promised", symbol = "BTCUSDT") =>
  plan(atMs, atMs + 10, { outcome: "BLOCKED", reason, symbol });
const fault = (kind: string, fromMs: number, toMs: number): ThrownFault => ({
  kind,
  target: "",
  fromMs,
  toMs,
  recoveredMs: toMs,
  waitedFor: "",
});

it("is as long as the closes take where nothing goes wrong, and counts none of it", () => {
  expect(closableOf([plan(0, 300), plan(400, 600)], [])).toEqual({
    longestMs: 300,
    longestAfter: "none",
    totalMs: 0,
    finding: { checked: 2, violations: [] },
  });
});

it("runs from the first close in vain to the end of the next that is executed, of each symbol", () => {
  const plans = [blocked(0), blocked(5_000), plan(9_000, 10_000), blocked(7_000, "disarmed", "ETHUSDT")];
  expect(closableOf([...plans, plan(8_000, 9_500, { symbol: "ETHUSDT" })], [])).toMatchObject({
    longestMs: 10_000,
    totalMs: 12_500,
  });
});

it("does not count while a fault lasts", () => {
  const faults = [fault("kill", 1_000, 20_000), fault("vandal", 21_000, 22_000)];
  expect(closableOf([blocked(500), plan(23_000, 25_000)], faults)).toMatchObject({
    longestMs: 3_000,
    longestAfter: "vandal",
    totalMs: 3_000,
  });
});

it("does not count while there is no position, nor bursts", () => {
  const plans = [blocked(0, "no_position"), { ...blocked(1_000), burst: true }, plan(90_000, 90_100)];
  expect(closableOf(plans, [])).toMatchObject({ longestMs: 100 });
});

it("is broken beyond a minute, also where no close comes any more", () => {
  const sentence = "BTCUSDT: no close was executed for 61 s after kill";
  expect(closableOf([blocked(0), blocked(60_990)], [fault("kill", -2, -1)]).finding.violations).toEqual([
    sentence,
  ]);
  const late = plan(0, 61_000);
  expect(closableOf([late], [fault("kill", -2, -1)]).finding.violations).toEqual([sentence]);
});
