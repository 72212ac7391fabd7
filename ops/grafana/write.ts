/** Writes ops/grafana/dashboards from the sources beside this file: `pnpm dashboards`. A test says when it is due. */
import { writeFile } from "node:fs/promises";
import { dashboardFiles } from "./dashboards.ts";

for (const { path, text } of dashboardFiles()) {
  await writeFile(path, text);
  console.log(path);
}
