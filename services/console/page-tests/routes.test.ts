import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  hrefOf,
  hrefWith,
  isPlanId,
  isSearchable,
  routeOf,
  SEARCHED_MAX_CHARS,
  searchFor,
} from "../page/routes.mjs";
import { TEXT_MAX_CHARS } from "../src/routes.ts";

describe("an address", () => {
  it("names a screen, and a plan or a symbol of it", () => {
    expect(routeOf("#/plans/55f9d4715c07003c")).toEqual({
      screen: "plans",
      id: "55f9d4715c07003c",
      query: {},
    });
    expect(routeOf("#/dead-letters?group=governor&reason=no_schema")).toEqual({
      screen: "dead-letters",
      id: "",
      query: { group: "governor", reason: "no_schema" },
    });
  });

  it("that is none leads to the first screen", () => {
    for (const hash of ["", "#", "#/", "#/nothing", "#/now/"]) expect(routeOf(hash).screen).toBe("now");
    expect(routeOf("#/plans/%E0%A4%A").id).toBe("%E0%A4%A");
  });

  it("leads back to the id that it was made of, whatever is in it", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: "grapheme" }), (id) => {
        expect(routeOf(hrefOf("plans", id))).toEqual({ screen: "plans", id, query: {} });
      }),
    );
  });

  it("is made of half a character, too, which JSON can carry", () => {
    expect(routeOf(hrefOf("symbols", "A\ud800")).id).toBe("A\ufffd");
  });

  it("is made of no text that the server refuses for its length, and of nothing that is no plan's id", () => {
    expect(SEARCHED_MAX_CHARS).toBe(TEXT_MAX_CHARS);
    expect(["", "x", "x".repeat(TEXT_MAX_CHARS), "x".repeat(TEXT_MAX_CHARS + 1)].map(isSearchable)).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(
      ["55f9d4715c07003c", "55F9D4715C07003C", "55f9d4715c07003", "", "../../api/now"].map(isPlanId),
    ).toEqual([true, false, false, false, false]);
  });

  it("leaves out what was not asked for", () => {
    expect(hrefWith("plans", { symbol: "BTCUSDT", reason: "" })).toBe("#/plans?symbol=BTCUSDT");
    expect(hrefWith("plans", { symbol: "" })).toBe("#/plans");
  });
});

describe("the search", () => {
  const meant = (text: string) => searchFor(text, ["BTCUSDT", "ETHUSDT", "ETHUSDC", "币安人生USDT"])?.href;

  it("knows a plan's id by its form", () => {
    expect(meant(" 55F9D4715C07003C ")).toBe("#/plans/55f9d4715c07003c");
  });

  it("knows symbols in any case, and one that is begun if it is the only one", () => {
    expect(meant("btcusdt")).toBe("#/plans?symbol=BTCUSDT");
    expect(meant("btc")).toBe("#/plans?symbol=BTCUSDT");
    expect(meant("eth")).toBe("#/plans?symbol=ETH");
    expect(meant("币安")).toBe(`#/plans?symbol=${encodeURIComponent("币安人生USDT")}`);
  });

  it("knows outcomes and reasons", () => {
    expect(meant("blocked")).toBe("#/plans?outcome=BLOCKED");
    expect(meant("not_placed")).toBe("#/plans?outcome=NOT_PLACED");
    expect(meant("missing_p33")).toBe("#/plans?reason=missing_p33");
  });

  it("takes anything else for the id of somebody else's plan", () => {
    expect(meant("plan-7/a")).toBe("#/plans/plan-7%2Fa");
    expect(meant("  ")).toBeUndefined();
  });
});
