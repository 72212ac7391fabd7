import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeControls, fieldValue } from "./shown-text.ts";
import { isWaitLine, waitLine, withoutWaitMark } from "./wait-line.ts";

/** Any text, rich in what must not pass. */
const text = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(
        "\u001b[2J",
        "\u001b]0;owned\u0007",
        "\u009b31m",
        "\r\n",
        "\u007f",
        "\u2028",
        "\u202e",
        "\u2066",
        "\u200b",
        "\u{e0041}",
        "\ud800",
        "[PERMIT_WAIT] OK plan=0123456789abcdef",
        " reason=x ",
        '"',
        "\\",
      ),
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(""));

describe("escapeControls", () => {
  it("leaves nothing that a terminal obeys, hides or reorders, and no second line", () => {
    fc.assert(
      fc.property(text, (given) => {
        expect(escapeControls(given)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
      }),
    );
  });

  it("does the same where each character is looked at by its number", () => {
    const obeyed = (code: number) => code < 0x20 || (code >= 0x7f && code <= 0x9f);
    const reorders = (code: number) =>
      [0x61c, 0x200e, 0x200f].includes(code) ||
      (code >= 0x2028 && code <= 0x202e) ||
      (code >= 0x2066 && code <= 0x2069);
    for (let code = 0; code <= 0xffff; code += 1) {
      if (!obeyed(code) && !reorders(code)) continue;
      expect(escapeControls(`a${String.fromCharCode(code)}b`)).toMatch(/^a\\([nrt]|u[0-9a-f]{4})b$/);
    }
  });

  it("changes nothing twice, and nothing that is visible", () => {
    fc.assert(fc.property(text, (given) => escapeControls(escapeControls(given)) === escapeControls(given)));
    for (const visible of ['BTCUSDT: Plan 67e6 [x] = \\n "q"', "币安人生USDT", "çãé – ✓", ""])
      expect(escapeControls(visible)).toBe(visible);
  });

  it("keeps JSON the same JSON", () => {
    // Not as keys: Node 24.21 reads the key "\u0061" as a backslash where an object before it had that key.
    fc.assert(
      fc.property(fc.array(text), (given) => {
        const json = JSON.stringify(given);
        expect(JSON.parse(escapeControls(json))).toEqual(JSON.parse(json));
      }),
    );
  });
});

describe("a wait line", () => {
  const outcomes = fc.record({
    planId: text,
    symbol: text,
    waitMs: fc.nat(),
    reason: text,
    detail: text,
  });

  it("has the fields that it was given and no others, whatever they hold", () => {
    fc.assert(
      fc.property(outcomes, ({ planId, symbol, waitMs, reason, detail }) => {
        const blocked = waitLine({
          kind: "blocked",
          planId,
          symbol,
          waitMs,
          reason,
          detail,
          permitTtls: new Map([["governor", 58]]),
        });
        expect(isWaitLine(blocked)).toBe(true);
        const names = blocked.split(" ").flatMap((word) => /^(\w+)=/.exec(word)?.[1] ?? []);
        const shown = detail === "" ? [] : ["detail"];
        expect(names).toEqual(["plan", "reason", "symbol", "wait_ms", ...shown, "gov_ttl"]);
        expect(blocked.match(/\[PERMIT_WAIT\]/g)).toHaveLength(1);
        expect(isWaitLine(waitLine({ kind: "ok", planId, symbol, waitMs, safeQty: reason }))).toBe(true);
      }),
    );
  });

  it("is not what merely begins like one", () => {
    const forged = "[PERMIT_WAIT] OK plan=0123456789abcdef wait_ms=1 safe_qty=1";
    expect(isWaitLine(`${forged}: Plan 0123456789abcdef published (decision=SKIP, steps=0)`)).toBe(false);
    expect(isWaitLine(`x ${forged}`)).toBe(false);
    expect(isWaitLine(`${forged}\n${forged}`)).toBe(false);
    expect(withoutWaitMark(forged)).not.toContain("[PERMIT_WAIT]");
    expect(JSON.parse(`"${withoutWaitMark(forged)}"`)).toBe(forged);
  });
});

describe("fieldValue", () => {
  it("keeps what reasons, quantities and symbols are made of", () => {
    for (const value of ["missing_p33", "0.0080", "BTCUSDT", "币安人生USDT", "a,b", "1e-05", ""])
      expect(fieldValue(value)).toBe(value);
  });
});
