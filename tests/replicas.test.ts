import { describe } from "vitest";
import { keepsEveryInvariant } from "./replicas.ts";

describe("one stream of plans, shared between replicas,", () => {
  keepsEveryInvariant(300);
});
