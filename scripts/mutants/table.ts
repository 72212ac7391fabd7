/** `docs/reliability.md`: the table of planted bugs and what caught each. */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Mutant } from "./mutant.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");
const DOCUMENT = join(ROOT, "docs/reliability.md");
const BEGIN = "<!-- planted bugs: written by `pnpm mutants --record` -->";
const END = "<!-- end of planted bugs -->";

export interface Caught {
  mutant: Mutant;
  /** Full name of the test that failed. */
  by: string;
}

export async function record(caught: readonly Caught[]): Promise<void> {
  const text = await readFile(DOCUMENT, "utf8");
  await writeFile(DOCUMENT, withTable(text, caught, new Date().toISOString().slice(0, 10), await commit()));
}

export function withTable(text: string, caught: readonly Caught[], date: string, commit: string): string {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`docs/reliability.md lacks ${BEGIN} or ${END}`);
  const rows = caught.map(({ mutant, by }) => {
    const where = [...new Set(mutant.edits.map(({ file }) => `\`${file}\``))].join(", ");
    return `| ${cell(mutant.bug)} | ${where} | \`${mutant.test}\`: ${cell(by)} |`;
  });
  const table = [
    BEGIN,
    "",
    `${date}, commit ${commit}: ${caught.length} bugs planted, ${caught.length} caught.`,
    "",
    "| planted bug | where | caught by |",
    "|---|---|---|",
    ...rows,
    "",
    END,
  ];
  return `${text.slice(0, from)}${table.join("\n")}${text.slice(to + END.length)}`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

async function commit(): Promise<string> {
  const git = async (...args: string[]) => (await run("git", args, { cwd: ROOT })).stdout.trim();
  const changed = await git("status", "--porcelain", "--", "lua", "packages", "services", "tests");
  return `${await git("rev-parse", "--short", "HEAD")}${changed === "" ? "" : " with local changes"}`;
}
