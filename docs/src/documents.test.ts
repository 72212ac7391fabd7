import { readFile } from "node:fs/promises";
import { ISSUERS, ttlLabel } from "@quantum/contract";
import { describe, expect, it } from "vitest";
import { DOCUMENTS, fileOf } from "./documents.ts";
import { table } from "./markdown.ts";
import { TEMPLATE_FILE } from "./wire.ts";
import { renderSignatures, SIGNATURES_FILE } from "./signatures.ts";

/** What a document written by hand may name, and where that is listed. */
const NAMES = /\b(?:quantum|p33)_[a-z0-9_]+|\b(?:APPLY|K|GOV|P33|EXECUTOR|STREAM|BINANCE)_[A-Z0-9_]+/g;

describe("the generated documents", () => {
  it.each(Object.entries(DOCUMENTS))("%s.md is what `pnpm run docs` writes", async (name, render) => {
    expect(await readFile(fileOf(name), "utf8"), "run `pnpm run docs`").toBe(render());
  });

  it("lua/signatures.ts too", async () => {
    expect(await readFile(SIGNATURES_FILE, "utf8"), "run `pnpm run docs`").toBe(renderSignatures());
  });

  it("keep bars and angle brackets of their tables", () => {
    expect(table(["a"], [["x|y <plan> `<plan>`"]])).toBe("| a |\n| --- |\n| x\\|y &lt;plan> `<plan>` |");
  });
});

describe("the documents written by hand", () => {
  /** What the other documents list. */
  const named = (...except: string[]) =>
    Object.entries(DOCUMENTS)
      .filter(([name]) => !except.includes(name))
      .map(([, render]) => render())
      .join("\n");

  it("the wire's template names only metrics, reasons and variables that exist", async () => {
    const listed = named("wire");
    const names = new Set((await readFile(TEMPLATE_FILE, "utf8")).match(NAMES));
    const labels = ISSUERS.map(ttlLabel);
    expect(names.size).toBeGreaterThan(0);
    expect([...names].filter((found) => !listed.includes(`\`${found}\``) && !labels.includes(found))).toEqual(
      [],
    );
  });

  it.each(["operations", "migration"])(
    "%s.md names only metrics, reasons and variables that exist",
    async (name) => {
      const text = await readFile(fileOf(name), "utf8");
      const listed = named();
      const names = new Set(text.match(NAMES));
      expect(names.size).toBeGreaterThan(0);
      expect([...names].filter((found) => !listed.includes(`\`${found}\``))).toEqual([]);
    },
  );
});
