import { describe, expect, it } from "vitest";
import { classifyError, concernOf, FAILURES } from "./error-classes.ts";
import { ERROR_CODES } from "./error-codes.ts";

describe("classifyError", () => {
  it("lets the rate limits' statuses win over any code", () => {
    for (const code of [undefined, ...ERROR_CODES.keys()]) {
      expect(classifyError({ code, httpStatus: 429 })).toBe("retry_after");
      expect(classifyError({ code, httpStatus: 418 })).toBe("retry_after");
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
  ] as const)("judges code %o with status %o as %s", (code, httpStatus, errorClass) => {
    expect(classifyError({ code, httpStatus })).toBe(errorClass);
  });

  it.each([
    ["Unknown error, please check your request or try again later.", "ambiguous"],
    ["Service Unavailable.", "unavailable"],
    ["Internal error; unable to process your request. Please try again.", "unavailable"],
    ["Service Unavailable. Please hold.", "ambiguous"],
    ["<html><title>503 Service Unavailable</title></html>", "ambiguous"],
    ["", "ambiguous"],
  ] as const)("takes a 503 that says %j for %s, with any code or none", (said, errorClass) => {
    for (const code of [undefined, -1000, -1001])
      expect(classifyError({ code, httpStatus: 503, said })).toBe(errorClass);
  });

  it("takes those words at their value with a 503 only", () => {
    for (const said of FAILURES) {
      for (const httpStatus of [500, 502, 504, 408])
        expect(classifyError({ code: -1001, httpStatus, said })).toBe("ambiguous");
    }
  });

  it("knows that what was not sent was not executed", () => {
    expect(classifyError({ code: undefined, httpStatus: undefined, notSent: true })).toBe("unavailable");
  });

  it.each([-1000, -1001, -1006, -1007, -1010, -1016])(
    "holds %i for unknown, as it is documented, or not documented to be certain",
    (code) => {
      expect(ERROR_CODES.get(code)?.errorClass).toBe("ambiguous");
    },
  );

  it.each([-1021, -5028])("knows that %i was too late, at the venue's door or its engine's", (code) => {
    expect(classifyError({ code, httpStatus: 400 })).toBe("expired");
  });

  it.each([
    [-4131, "symbol"],
    [-2022, "symbol"],
    [-2024, "symbol"],
    [-4118, "symbol"],
    [-5021, "symbol"],
    [-5022, "symbol"],
    [-1100, "symbol"],
    [-9999, "symbol"],
    [undefined, "symbol"],
    [-1122, "rules"],
    [-4005, "rules"],
    [-4108, "rules"],
    [-4140, "rules"],
    [-4141, "rules"],
    [-5025, "rules"],
    [-2015, "account"],
    [-2017, "account"],
    [-2019, "account"],
    [-2023, "account"],
    [-4061, "account"],
    [-4088, "account"],
    [-4109, "account"],
  ] as const)("takes the refusal %o for one of the %s", (code, concern) => {
    expect(classifyError({ code, httpStatus: 400 })).toBe("rejected");
    expect(concernOf(code)).toBe(concern);
  });

  it("says of every refusal what it concerns, and of nothing else", () => {
    for (const { errorClass, concerns } of ERROR_CODES.values())
      expect(concerns !== undefined).toBe(errorClass === "rejected");
  });
});
