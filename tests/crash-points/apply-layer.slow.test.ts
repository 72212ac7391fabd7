import { describe } from "vitest";
import { LAYOUTS, READ, scriptSteps, survivesAKillAtEveryStep } from "./pass.ts";

describe.each(LAYOUTS)("the apply-layer, with %i partitions", (partitions) => {
  const steps = [...[READ, ...scriptSteps("plans/open"), ...scriptSteps("permits/consume")]];
  survivesAKillAtEveryStep("apply-layer", steps, { partitions });
});
