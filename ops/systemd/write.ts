/** node ops/systemd/write.ts: writes the units, env files and services.json; a test fails while they are not fresh. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemdFiles } from "./files.ts";

for (const [path, content] of systemdFiles()) writeFileSync(join(import.meta.dirname, path), content);
