/**
 * Checks invariants after every step of a plan's random history: I2 (every permit present, valid and spent once), I3
 * and I4 (one handover, one result per attempt).
 */
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { REQUIRED, startScriptRig } from "./script-rig.fixture.ts";
import { PlanModel, type Said, type Step } from "./plan-model.fixture.ts";

const RUNS = 150;
const STEPS_MAX = 40;

const issuer = fc.constantFrom(...REQUIRED);
const of = <Fields extends object>(
  weight: number,
  name: Step["do"],
  fields: { [Field in keyof Fields]: fc.Arbitrary<Fields[Field]> },
) => ({ weight, arbitrary: fc.record({ do: fc.constant(name), ...fields }) as fc.Arbitrary<Step> });

/** Weighted so that most histories reach an order and many open the plan again. */
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  of(8, "open", { mode: fc.constantFrom("paper", "paper", "dry_run") }),
  of(1, "skip", {}),
  of(4, "set", {
    issuer,
    said: fc.constantFrom<Said | "foreign">("granted", "denied", "malformed", "foreign"),
  }),
  of(8, "grant all", {}),
  of(6, "issue", { issuer, granted: fc.boolean(), ago: fc.constantFrom(0, 0, 0, 1) }),
  of(8, "consume", {}),
  of(1, "halt", { by: fc.constantFrom("kill_switch_active", "disarmed") }),
  of(3, "resume", {}),
  of(4, "pass time", { to: fc.constantFrom("due", "late") }),
  of(2, "reset", {}),
  of(2, "expire permit", { issuer }),
  of(4, "expire mark", {}),
  of(3, "settle", {
    state: fc.constantFrom("NOT_PLACED", "NOT_PLACED", "EXECUTED"),
    // Usually not: a claimed plan never opens again, and its history soon ends.
    claimed: fc.constantFrom(false, false, false, true),
  }),
);

let rig: Awaited<ReturnType<typeof startScriptRig>>;
beforeAll(async () => void (rig = await startScriptRig()));
afterAll(() => rig.stop());

it("spends permits once, hands over once and ends every attempt once, whatever happens to the plan", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: STEPS_MAX, size: "max" }), async (steps) => {
      await rig.redis.flushall();
      const model = new PlanModel(rig);
      for (const step of steps) {
        await model.take(step);
        expect(await model.observed()).toEqual(model.expected());
      }
      await model.end();
      expect(await model.observed()).toEqual(model.expected());
    }),
    { numRuns: RUNS },
  );
});
