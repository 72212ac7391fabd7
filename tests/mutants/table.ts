/** `docs/reliability.md`: the table of planted bugs and what caught each. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "@quantum/service-kit";
import { withSection } from "@quantum/harness";
import type { Mutant } from "./mutant.ts";

const ROOT = join(import.meta.dirname, "../..");
const DOCUMENT = join(ROOT, "docs/reliability.md");
const SECTION = { document: "docs/reliability.md", name: "planted bugs" };

export interface Caught {
  mutant: Mutant;
  /** Full name of the test that failed. */
  by: string;
}

export async function record(caught: readonly Caught[]): Promise<void> {
  const text = await readFile(DOCUMENT, "utf8");
  const today = new Date().toISOString().slice(0, 10);
  await writeFile(DOCUMENT, withTable(text, caught, today, build().commit));
}

export function withTable(text: string, caught: readonly Caught[], date: string, commit: string): string {
  const rows = caught.map(({ mutant, by }) => {
    const where = [...new Set(mutant.edits.map(({ file }) => `\`${file}\``))].join(", ");
    return `| ${cell(mutant.bug)} | ${where} | \`${mutant.test}\`: ${cell(by)} |`;
  });
  const table = [
    `${date}, commit ${commit}: ${caught.length} bugs planted, ${caught.length} caught.`,
    "",
    "| planted bug | where | caught by |",
    "|---|---|---|",
    ...rows,
  ];
  return withSection(text, SECTION, table.join("\n"));
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
