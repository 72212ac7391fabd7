import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { DOCUMENTS, fileOf } from "./documents.ts";
import { table } from "./markdown.ts";

describe("the generated documents", () => {
  it.each(Object.entries(DOCUMENTS))("%s.md is what `pnpm run docs` writes", async (name, render) => {
    expect(await readFile(fileOf(name), "utf8"), "run `pnpm run docs`").toBe(render());
  });

  it("keep bars and angle brackets of their tables", () => {
    expect(table(["a"], [["x|y <plan> `<plan>`"]])).toBe("| a |\n| --- |\n| x\\|y &lt;plan> `<plan>` |");
  });
});
