/** Writes the latest tables into docs/benchmarks.md, or docs/capacity.md. */
import { readFile, writeFile } from "node:fs/promises";
import { withSection } from "@quantum/harness";

/** Throws if the document has lost its marks. */
export async function writeDocument(file: string, tables: string): Promise<void> {
  await writeFile(
    file,
    withSection(await readFile(file, "utf8"), { document: file, name: "tables" }, tables),
  );
}
