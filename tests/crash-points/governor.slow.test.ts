import { describe } from "vitest";
import { READ, scriptSteps, survivesAKillAtEveryStep } from "./pass.ts";

describe("the governor", () => {
  survivesAKillAtEveryStep("governor", [
    ...[READ, ...scriptSteps("permits/issue"), ...scriptSteps("permits/settle_reservation")],
  ]);
});
