/**
 * Invariants, after every step of random lives of a plan: I2 (every permit present, valid and spent once), I3 and I4
 * (one hand-over, one result an attempt).
 */
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startKernel } from "./kernel.fixture.ts";
import { anyStep, PlanModel } from "./plan-model.fixture.ts";

const RUNS = 150;
const STEPS_MAX = 40;

let kernel: Awaited<ReturnType<typeof startKernel>>;
beforeAll(async () => void (kernel = await startKernel()));
afterAll(() => kernel.stop());

it("spends permits once, hands over once and ends every attempt once, whatever happens to the plan", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: STEPS_MAX, size: "max" }), async (steps) => {
      await kernel.redis.flushall();
      const model = new PlanModel(kernel);
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
