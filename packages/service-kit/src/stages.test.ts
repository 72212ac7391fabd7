import { Registry } from "prom-client";
import { expect, it } from "vitest";
import { observeStages } from "./stages.ts";
import type { Period } from "./stages.ts";

const PLAN = { planId: "67e6da21fa9fe506", attempt: "1795000000000-0", fromMs: 1_795_000_000_000 };

it("counts a stage's time, an issuer's under its name, and never less than none", async () => {
  const registry = new Registry();
  const { passed, ended } = observeStages(registry, undefined);
  passed({ ...PLAN, stage: "permit", issuer: "p33", toMs: PLAN.fromMs + 40 });
  passed({ ...PLAN, stage: "sent", toMs: PLAN.fromMs - 500 });
  ended({ ...PLAN, toMs: PLAN.fromMs + 90 });
  const metrics = await registry.metrics();
  expect(metrics).toContain('quantum_plan_stage_seconds_sum{stage="permit",issuer="p33"} 0.04');
  expect(metrics).toContain('quantum_plan_stage_seconds_sum{stage="sent"} 0\n');
  expect(metrics).not.toContain(PLAN.planId);
});

it("gives what it counts to the traces, and an attempt's end as their root", () => {
  const spans: [string, Period][] = [];
  const span = (name: readonly string[], period: Period) => void spans.push([name.join(" "), period]);
  const { passed, ended } = observeStages(new Registry(), { span, stop: async () => undefined });
  const period = { ...PLAN, toMs: PLAN.fromMs + 40 };
  passed({ ...period, stage: "permit", issuer: "p33" });
  passed({ ...period, stage: "sent" });
  ended(period);
  expect(spans).toMatchObject([
    ["permit p33", period],
    ["sent", period],
    ["", period],
  ]);
});
