/** Puts the last tables into docs/benchmarks.md, between its two marks. */
import { readFile, writeFile } from "node:fs/promises";

const BEGIN = "<!-- tables: begin (written by the bench) -->";
const END = "<!-- tables: end -->";

/** Throws if the document has lost its marks. */
export async function writeDocument(file: string, tables: string): Promise<void> {
  const text = await readFile(file, "utf8");
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from)
    throw new Error(`${file}: the marks ${BEGIN} and ${END} are needed, in this order`);
  await writeFile(file, `${text.slice(0, from)}${BEGIN}\n\n${tables}\n\n${text.slice(to)}`);
}
