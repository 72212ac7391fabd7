import { describe, expect, it } from "vitest";
import { symbol } from "./formats.ts";

const isSymbol = (text: string) => symbol.safeParse(text).success;

describe("a symbol", () => {
  it.each([
    "BTCUSDT",
    "1000SHIBUSDT",
    "BTCUSDT_261225",
    "4USDT",
    "币安人生USDT",
    "我踏马来了USDT",
    "ÄÖUSDT",
    "кUSDT",
    "한국USDT",
    "عربيUSDT",
    "kPEPEUSDT",
    "𐐷𐐷USDT",
    "币".repeat(32),
    "𐐷".repeat(32),
  ])("is %s, as it is written", (text) => {
    expect(symbol.parse(text)).toBe(text);
  });

  it("may be two texts that look alike, which are not the same", () => {
    const composed = "ÉUSDT";
    expect(symbol.parse(composed)).not.toBe("E\u0301USDT");
    expect(isSymbol("E\u0301USDT")).toBe(false);
  });

  it.each([
    "",
    "B",
    "币",
    "A".repeat(33),
    "BTC USDT",
    "BTC-USDT",
    "BTC/USDT",
    "BTC:USDT",
    "BTCUSDT\n",
    "BTC*",
    "BTC?SDT",
    "[BTC]USDT",
    "{BTC}USDT",
    "BTC\u0000USDT",
    "\u001b[31mUSDT",
    "BTC\u009b2JUSDT",
    "BTC\u200bUSDT",
    "BTC\u202eUSDT",
    "\u3164\u3164",
    "\u115f\u1160USDT",
    "😀USDT",
    "１２USDT",
    "\ud800\ud800",
    "\ufffdUSDT",
  ])("is not %j", (text) => {
    expect(isSymbol(text)).toBe(false);
  });
});
