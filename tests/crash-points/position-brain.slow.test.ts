import { describe } from "vitest";
import { READ, scriptSteps, survivesAKillAtEveryStep } from "./pass.ts";

describe("position-brain", () => {
  survivesAKillAtEveryStep("position-brain", [
    ...[READ, ...scriptSteps("permits/issue"), ...scriptSteps("ledger/store")],
    ...scriptSteps("permits/settle_reservation"),
  ]);
});
