import { describe } from "vitest";
import { READ, scriptSteps, survivesAKillAtEveryStep } from "./pass.ts";

describe("the apply-layer", () => {
  survivesAKillAtEveryStep("apply-layer", [
    ...[READ, ...scriptSteps("plans/open"), ...scriptSteps("permits/consume")],
  ]);
});
