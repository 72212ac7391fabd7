import { describe, expect, it } from "vitest";
import { dispositionOf, RULINGS } from "./dispositions.ts";

describe("dispositionOf", () => {
  it("lets the rate limits' statuses win over any code", () => {
    for (const code of [undefined, ...RULINGS.keys()]) {
      expect(dispositionOf({ code, httpStatus: 429 })).toBe("retry_after");
      expect(dispositionOf({ code, httpStatus: 418 })).toBe("retry_after");
    }
  });

  it.each([
    [undefined, undefined, "ambiguous"],
    [undefined, 302, "ambiguous"],
    [undefined, 400, "rejected"],
    [undefined, 403, "retry_after"],
    [-2015, 403, "rejected"],
    [undefined, 408, "ambiguous"],
    [undefined, 500, "ambiguous"],
    [undefined, 503, "ambiguous"],
    [-9999, 400, "rejected"],
    [-9999, 500, "ambiguous"],
    [-1007, 400, "ambiguous"],
    [-1008, 503, "retry_after"],
    [-1021, 400, "expired"],
    [-4116, 400, "already_placed"],
  ] as const)("judges code %o with status %o as %s", (code, httpStatus, disposition) => {
    expect(dispositionOf({ code, httpStatus })).toBe(disposition);
  });

  it.each([-1000, -1001, -1006, -1007])("holds %i for unknown, as it is documented", (code) => {
    expect(RULINGS.get(code)?.disposition).toBe("ambiguous");
  });
});
