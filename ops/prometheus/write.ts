/** node ops/prometheus/write.ts: writes what names the services; a test fails while it is not fresh. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { prometheusFiles } from "./files.ts";

for (const [path, content] of prometheusFiles()) writeFileSync(join(import.meta.dirname, path), content);
