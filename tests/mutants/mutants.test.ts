import { readFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { plantIn } from "./copy.ts";
import { MUTANTS } from "./mutants.ts";
import { withTable } from "./table.ts";

const ROOT = join(import.meta.dirname, "../..");
const textOf = (file: string) => readFile(join(ROOT, file), "utf8");

it.each(MUTANTS)("can still be planted: $bug", async ({ edits, test }) => {
  expect(await textOf(test)).not.toBe("");
  const planted = new Map<string, string>();
  for (const edit of edits) {
    const text = planted.get(edit.file) ?? (await textOf(edit.file));
    planted.set(edit.file, plantIn(text, edit));
    expect(planted.get(edit.file)).not.toBe(text);
  }
  // A bug that no program can have proves nothing.
  const programs = [...planted].filter(([file]) => file.endsWith(".ts"));
  for (const [, text] of programs) expect(() => stripTypeScriptTypes(text)).not.toThrow();
});

describe("a text to change", () => {
  const edit = { file: "a.ts", find: "x", replace: "$&" };

  it("is replaced as it stands", () => {
    expect(plantIn("axb", edit)).toBe("a$&b");
  });

  it("is refused where it is missing or ambiguous", () => {
    expect(() => plantIn("ab", edit)).toThrow(
      "a.ts: the text to change must be there exactly once, it is not there: x",
    );
    expect(() => plantIn("xax", edit)).toThrow("it is there 2 times");
  });
});

describe("the table", () => {
  const [mutant] = MUTANTS;
  const document =
    "# R\n\n<!-- planted bugs: written by `pnpm mutants --record` -->\nold\n<!-- end of planted bugs -->\n\nafter\n";

  it("replaces the one that was there", () => {
    if (mutant === undefined) throw new Error("no bug to plant");
    const text = withTable(document, [{ mutant, by: "a | b" }], "2026-11-24", "fd16f66");
    expect(text).toContain("2026-11-24, commit fd16f66: 1 bugs planted, 1 caught.");
    expect(text).toContain(`| ${mutant.bug} | `);
    expect(text).toContain("a \\| b |");
    expect(text).not.toContain("old");
    expect(text.endsWith("-->\n\nafter\n")).toBe(true);
  });

  it("is refused by a document without its place", () => {
    expect(() => withTable("# R\n", [], "", "")).toThrow("docs/reliability.md lacks");
  });
});
