import { describe } from "vitest";
import { LAYOUTS, READ, scriptSteps, survivesAKillAtEveryStep } from "./pass.ts";

describe.each(LAYOUTS)("the executor, with %i partitions", (partitions) => {
  const steps = [
    ...[READ, "before SADD quantum:order:symbols #1", ...scriptSteps("orders/claim")],
    ...["before POST /fapi/v1/order #1", "after 200 POST /fapi/v1/order #1", ...scriptSteps("orders/settle")],
  ];
  survivesAKillAtEveryStep("executor", steps, { partitions });
});
