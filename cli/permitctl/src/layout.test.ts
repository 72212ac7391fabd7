import fc from "fast-check";
import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import { cutLine, firstRows, share, table } from "./layout.ts";

const cells = fc.array(
  fc.array(fc.string({ unit: "grapheme", maxLength: 40 }), { minLength: 4, maxLength: 4 }),
  { minLength: 1, maxLength: 8 },
);

describe("share", () => {
  it("gives no more than there is or is wanted, and leaves nothing where something is wanted", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(200), { minLength: 1 }), fc.nat(500), (wants, total) => {
        const shares = share(wants, total);
        const sum = shares.reduce((all, one) => all + one, 0);
        expect(shares.every((part, index) => part <= (wants[index] ?? 0))).toBe(true);
        expect(sum).toBe(
          Math.min(
            total,
            wants.reduce((all, one) => all + one, 0),
          ),
        );
      }),
    );
  });

  it("takes from those who want most", () => {
    expect(share([4, 90, 12, 200], 100)).toEqual([4, 42, 12, 42]);
    expect(share([4, 20, 12, 200], 300)).toEqual([4, 20, 12, 200]);
  });
});

describe("a table", () => {
  it("never exceeds its width, whatever is in its cells", () => {
    fc.assert(
      fc.property(cells, fc.integer({ min: 20, max: 160 }), (rows, columns) => {
        const lines = table(rows, columns);
        expect(lines).toHaveLength(rows.length);
        for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(columns);
      }),
    );
  });

  it("aligns wide characters by the cells that they take", () => {
    expect(
      table([
        ["symbol", "wait"],
        ["币安人生USDT", "1"],
        ["BTCUSDT", "2"],
      ]),
    ).toEqual(["  symbol        wait", "  币安人生USDT  1", "  BTCUSDT       2"]);
  });

  it("cuts the widest columns, and says so", () => {
    const [, row] = table(
      [
        ["id", "reason"],
        ["1-0", "the entry has no field plan_id"],
      ],
      20,
    );
    expect(row).toBe("  1-0  the entry ha…");
  });
});

it("the first rows end with how many are missing", () => {
  expect(firstRows(["a", "b", "c", "d"], 3)).toEqual(["a", "b", "  … 2 more"]);
  expect(firstRows(["a", "b"], 2)).toEqual(["a", "b"]);
  expect(firstRows(["a", "b"], 1)).toEqual(["a"]);
  expect(firstRows(["a", "b"], 0)).toEqual([]);
});

it("a line is cut over its styles, escaped before it is measured", () => {
  const line = cutLine(["kill switch   ", { style: "red", text: "ON\u001b[2J by somebody" }], 24);
  expect(line).toEqual(["kill switch   ", { style: "red", text: "ON\\u001b[…" }]);
});
