import { describe } from "vitest";
import { LAYOUTS, READ, scriptSteps, survivesAKillAtEveryStep } from "./pass.ts";

describe.each(LAYOUTS)("the governor, with %i partitions", (partitions) => {
  const steps = [...[READ, ...scriptSteps("permits/issue"), ...scriptSteps("permits/settle_reservation")]];
  survivesAKillAtEveryStep("governor", steps, { partitions });
});
