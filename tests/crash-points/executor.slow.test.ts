import { describe } from "vitest";
import { READ, scriptSteps, survivesAKillAtEveryStep } from "./pass.ts";

describe("the executor", () => {
  survivesAKillAtEveryStep("executor", [
    ...[READ, "before SADD quantum:order:symbols #1", ...scriptSteps("orders/claim")],
    ...["before POST /fapi/v1/order #1", "after 200 POST /fapi/v1/order #1", ...scriptSteps("orders/settle")],
  ]);
});
