/** All dashboards, and the files that Grafana is provisioned with. */
import { join } from "node:path";
import { toGrafana } from "./dashboard.ts";
import type { DashboardSource } from "./dashboard-source.ts";
import { issuers } from "./issuers.ts";
import { pipeline } from "./pipeline.ts";
import { streamsAndRedis } from "./streams-and-redis.ts";

const FOLDER = join(import.meta.dirname, "dashboards");

export const DASHBOARDS: readonly DashboardSource[] = [pipeline, issuers, streamsAndRedis];

export function dashboardFiles(): { path: string; text: string }[] {
  return DASHBOARDS.map((source) => ({
    path: join(FOLDER, `${source.uid}.json`),
    text: `${JSON.stringify(toGrafana(source), null, 2)}\n`,
  }));
}
