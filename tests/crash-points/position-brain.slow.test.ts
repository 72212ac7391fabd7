import { describe } from "vitest";
import { LAYOUTS, READ, scriptSteps, survivesAKillAtEveryStep } from "./pass.ts";

describe.each(LAYOUTS)("position-brain, with %i partitions", (partitions) => {
  const steps = [
    ...[READ, ...scriptSteps("permits/issue"), ...scriptSteps("ledger/store")],
    ...scriptSteps("permits/settle_reservation"),
  ];
  survivesAKillAtEveryStep("position-brain", steps, { partitions });
});
