/** Writes what follows from the code: the reference documents, and the types of the scripts' headers. */
import { writeFile } from "node:fs/promises";
import { DOCUMENTS, fileOf } from "./documents.ts";
import { renderSignatures, SIGNATURES_FILE } from "./signatures.ts";

for (const [name, render] of Object.entries(DOCUMENTS)) {
  const file = fileOf(name);
  await writeFile(file, render());
  console.log(file);
}
await writeFile(SIGNATURES_FILE, renderSignatures());
console.log(SIGNATURES_FILE);
await import("../../ops/systemd/write.ts");
await import("../../ops/prometheus/write.ts");
