/** Writes the latest tables into docs/benchmarks.md, or docs/capacity.md. */
import { readFile, writeFile } from "node:fs/promises";
import { withSection } from "@quantum/harness";

/** @throws if the document has lost the marks of this section */
export async function writeDocument(file: string, name: string, text: string): Promise<void> {
  await writeFile(file, withSection(await readFile(file, "utf8"), { document: file, name }, text));
}
