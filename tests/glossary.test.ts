/** The words that docs/glossary.md has retired stay out of code, texts and documents. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");
/** The list itself, and records of past runs, which keep the words that were current then. */
const EXEMPT = new Set(["docs/glossary.md", "docs/reliability.md", "docs/benchmarks.md"]);

const textOf = (file: string) => readFileSync(join(ROOT, file), "utf8");
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  cwd: ROOT,
  encoding: "utf8",
})
  .split("\n")
  .filter(
    (file) => /\.(ts|mjs|lua|md|ya?ml)$/.test(file) && !file.endsWith("-lock.yaml") && !EXEMPT.has(file),
  );

const [, table = ""] = textOf("docs/glossary.md").split("\n## Retired words\n");
const retired = [...table.matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)].map(([, words = "", use = ""]) => ({
  words,
  use,
}));

it("finds the list of retired words", () => {
  expect(retired.length).toBeGreaterThan(0);
  expect(files.length).toBeGreaterThan(100);
});

it.each(retired)("says '$use' instead of '$words'", ({ words }) => {
  // A phrase may break over two lines, with a comment's mark between them.
  const pattern = new RegExp(
    String.raw`\b${words.replaceAll(" ", String.raw`\s+(?:(?:\*|//|--)\s+)?`)}\b`,
    "i",
  );
  expect(files.filter((file) => pattern.test(textOf(file)))).toEqual([]);
});
