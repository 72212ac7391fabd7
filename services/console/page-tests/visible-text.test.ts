import fc from "fast-check";
import { expect, it } from "vitest";
import { cut, piecesOf, visible } from "../page/visible-text.mjs";

it("writes invisible characters as permitctl does", () => {
  expect(visible("a\u001b[31mb")).toBe("a\\u001b[31mb");
  expect(visible("line\nnext\tcell\r")).toBe("line\\nnext\\tcell\\r");
  expect(visible("\u202eabc\u2066\u200b\ufeff\u2028")).toBe("\\u202eabc\\u2066\\u200b\\ufeff\\u2028");
  expect(visible("\u{e0041}")).toBe("\\u{e0041}");
  expect(visible("\ud800")).toBe("\\ud800");
});

it("leaves what can be seen as it is", () => {
  for (const text of ["BTCUSDT", "<script>alert(1)</script>", "币安人生USDT", "שלום", "é 👍 &amp;"])
    expect(piecesOf(text)).toEqual([{ text, escaped: false }]);
  expect(piecesOf("")).toEqual([]);
});

it("marks what it has escaped, so that it cannot be taken for the text itself", () => {
  expect(piecesOf("a\u0000b")).toEqual([
    { text: "a", escaped: false },
    { text: "\\u0000", escaped: true },
    { text: "b", escaped: false },
  ]);
});

it("lets no control or direction character through, whatever the text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(visible(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
    }),
  );
});

it("cuts long texts, but no character in two", () => {
  expect(cut("x".repeat(500), 100)).toHaveLength(100);
  expect(cut("short", 100)).toBe("short");
  expect(cut("ab👍", 3)).toBe("ab");
});
