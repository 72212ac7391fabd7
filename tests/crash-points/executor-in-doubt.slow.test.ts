import { describe } from "vitest";
import { scriptSteps, survivesAKillAtEveryStep } from "./pass.ts";

describe("the executor, whose order timed out although it was executed", () => {
  survivesAKillAtEveryStep("executor", [...scriptSteps("orders/doubt"), ...scriptSteps("orders/settle")], {
    fault: "-1007",
    from: "before EVALSHA orders/doubt #1",
  });
});
