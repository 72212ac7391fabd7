import { describe } from "vitest";
import { READ, scriptSteps, survivesAKillAtEveryStep } from "./pass.ts";

describe("the portfolio gate", () => {
  survivesAKillAtEveryStep("portfolio-gate", [
    ...[READ, ...scriptSteps("permits/issue"), ...scriptSteps("permits/settle_reservation")],
  ]);
});
