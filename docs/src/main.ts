/** Writes what follows from the code: the reference documents, the types of the scripts' headers, and Redis's users. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PARTITIONS_MAX, renderUsers } from "@quantum/contract";
import { DOCUMENTS, fileOf } from "./documents.ts";
import { renderSignatures, SIGNATURES_FILE } from "./signatures.ts";

for (const [name, render] of Object.entries(DOCUMENTS)) {
  const file = fileOf(name);
  await writeFile(file, render());
  console.log(file);
}
await writeFile(SIGNATURES_FILE, renderSignatures());
console.log(SIGNATURES_FILE);
// Rights on several partitions are the same for any number of them.
for (const [name, partitions] of [
  ["users.acl", 1],
  ["users.partitions.acl", PARTITIONS_MAX],
] as const) {
  const users = join(import.meta.dirname, "../../ops/redis", name);
  await writeFile(users, renderUsers(undefined, undefined, partitions));
  console.log(users);
}
await import("../../ops/systemd/write.ts");
await import("../../ops/prometheus/write.ts");
