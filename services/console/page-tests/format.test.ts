import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { age, amount, cap, commandFor, dateTime, duration, left, share, wait } from "../page/format.mjs";

describe("durations", () => {
  it("are told in one unit, rounded down, as permitctl tells them", () => {
    expect([0, 340, 12_900, 119_000, 300_000, 10_800_000, 777_600_000].map(duration)).toEqual([
      "0 ms",
      "340 ms",
      "12 s",
      "119 s",
      "5 min",
      "3 h",
      "9 d",
    ]);
  });

  it("are ages that do not count milliseconds", () => {
    expect([-5, 0, 999, 1_000, 180_000].map(age)).toEqual(["now", "now", "now", "1 s ago", "3 min ago"]);
  });

  it("are waits in milliseconds for as long as budgets are", () => {
    expect([56, 1_201, 9_999, 12_430, 300_000, undefined].map(wait)).toEqual([
      "56 ms",
      "1,201 ms",
      "9,999 ms",
      "12.4 s",
      "5 min",
      "–",
    ]);
  });

  it("count down in tenths of a second, and end", () => {
    expect([1_240, 60, 0, -40, 15_000].map(left)).toEqual(["1.2 s", "0.1 s", "over", "over", "15 s"]);
  });
});

describe("times", () => {
  it("of today stand without their date, by UTC", () => {
    const nowMs = Date.UTC(2026, 10, 27, 5, 0, 0);
    expect(dateTime(nowMs - 60_000, nowMs)).toBe("04:59:00");
    expect(dateTime(nowMs - 86_400_000, nowMs)).toBe("2026-11-26 05:00:00");
  });

  it("that no calendar has do not break the page", () => {
    expect(dateTime(Number.NaN, 0)).toBe("?");
    expect(dateTime(1e300, 0)).toBe("?");
  });
});

describe("amounts", () => {
  it("are grouped, cut to their decimals and never rounded up", () => {
    expect(amount("1234567.899", 2)).toBe("1,234,567.89");
    expect(amount("-0.5", 3)).toBe("-0.5");
    expect(amount("12.000", 2)).toBe("12");
    expect(amount("100", 0)).toBe("100");
  });

  it("that are small do not read as none", () => {
    expect(amount("0.0004", 3)).toBe("<0.001");
    expect(amount("0.5", 0)).toBe("<1");
    expect(amount("0.000", 2)).toBe("0");
  });

  it("that are no numbers stay as they are", () => {
    for (const text of ["", "NaN", "1e5", "<b>", "1,5"]) expect(amount(text, 2)).toBe(text);
  });

  it("keep every digit of the whole part, of any length", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 30n }), (whole) => {
        expect(amount(String(whole), 2).replaceAll(",", "")).toBe(String(whole));
      }),
    );
  });
});

describe("caps", () => {
  it("are short where that is exact", () => {
    expect(
      ["80000000", "150000", "1500000", "30", "5000", "2500.5", "", "0"].map((text) => cap(text, 1)),
    ).toEqual(["80M", "150k", "1,500k", "30", "5,000", "2,500.5", "", "0"]);
  });
});

describe("the share of a cap", () => {
  it("is a number from 0, and more than 1 when too much is used", () => {
    expect(share("25", "100")).toBe(0.25);
    expect(share(150, "100")).toBe(1.5);
    expect(share("1", "0")).toBe(1);
  });

  it("is unknown without a cap or a number", () => {
    for (const [used, cap] of [
      ["1", ""],
      ["", "5"],
      ["x", "5"],
      ["0", "0"],
    ] as const)
      expect(share(used, cap)).toBeUndefined();
  });
});

describe("a command to be copied into a shell", () => {
  it("names the symbol", () => {
    expect(commandFor("permitctl flatten SYMBOL", "BTCUSDT_261225")).toBe("permitctl flatten BTCUSDT_261225");
    expect(commandFor("permitctl flatten SYMBOL", "币安人生USDT")).toBe("permitctl flatten 币安人生USDT");
  });

  it("is none for a name that a shell or permitctl would take for something else", () => {
    const names = [
      "",
      "--all",
      "A;reboot",
      "A B",
      "$(reboot)",
      "`A`",
      "A\nreboot",
      "\u001b[201~\nreboot",
      "A|B",
      "'A",
    ];
    for (const name of names) expect(commandFor("permitctl flatten SYMBOL", name)).toBeUndefined();
  });
});
