import { describe, expect, it } from "vitest";
import { spanIdOf, traceIdOf } from "./trace.ts";

const PLAN = "67e6da21fa9fe506";

describe("a plan's trace", () => {
  it("has the ids that docs/adr/0031 derives, so that another program finds it", () => {
    expect(traceIdOf(PLAN)).toBe("033e785970b250cd78058fdab3074dbe");
    expect(spanIdOf(PLAN, "1795000000000-0")).toBe("2e8349a8a0d63e6e");
    expect(spanIdOf(PLAN, "1795000000000-0", "permit", "p33")).toBe("3d08fe4ed9917d5e");
  });

  it("is one for all attempts, each with spans of its own", () => {
    const roots = ["1-0", "2-0"].map((attempt) => spanIdOf(PLAN, attempt));
    expect(new Set(roots).size).toBe(2);
  });
});
