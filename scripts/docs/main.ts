/** Writes the reference documents that follow from the code. */
import { writeFile } from "node:fs/promises";
import { DOCUMENTS, fileOf } from "./documents.ts";

for (const [name, render] of Object.entries(DOCUMENTS)) {
  const file = fileOf(name);
  await writeFile(file, render());
  console.log(file);
}
