import { describe } from "vitest";
import { scriptSteps, survivesAKillAtEveryStep } from "./pass.ts";

const QUESTION = [...scriptSteps("orders/ask"), ...scriptSteps("orders/note")];

describe("the executor, whose order was never placed", () => {
  const steps = [...QUESTION, ...scriptSteps("orders/settle")];
  survivesAKillAtEveryStep("executor", steps, { fault: "503_before", at: steps });
});

describe("the executor, whose order shows up after it ended by absence", () => {
  const steps = [...QUESTION, ...scriptSteps("orders/adopt")];
  survivesAKillAtEveryStep("executor", steps, { fault: "503_before", at: steps, showsUp: true });
});
