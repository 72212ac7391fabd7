import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DASHBOARDS, dashboardFiles } from "../../ops/grafana/dashboards.ts";

const ROOT = join(import.meta.dirname, "../..");
const read = (path: string) => readFile(join(ROOT, path), "utf8");

describe("ops/grafana", () => {
  it("holds what the sources say: run pnpm dashboards if not", async () => {
    const files = dashboardFiles();
    for (const { path, text } of files) expect(await readFile(path, "utf8")).toBe(text);
    const names = await readdir(join(ROOT, "ops/grafana/dashboards"));
    expect(names).toHaveLength(files.length);
  });

  it("is typed by the schema of the Grafana that compose runs", async () => {
    const image = /image: grafana\/grafana:(\S+)/.exec(await read("docker-compose.yml"))?.[1];
    const { devDependencies } = JSON.parse(await read("package.json")) as {
      devDependencies: Record<string, string>;
    };
    expect(devDependencies["@grafana/schema"]).toBe(image);
  });

  it("provisions the data source that the panels name, and the folder that compose mounts", async () => {
    const dataSource = await read("ops/grafana/provisioning/datasources/prometheus.yml");
    for (const { text } of dashboardFiles())
      for (const [, uid = ""] of text.matchAll(/"type": "prometheus",\s+"uid": "(.+)"/g))
        expect(dataSource).toContain(`uid: ${uid}\n`);
    const path = /path: (\S+)/.exec(await read("ops/grafana/provisioning/dashboards/quantum.yml"))?.[1];
    expect(await read("docker-compose.yml")).toContain(`./ops/grafana/dashboards:${path}:ro`);
  });

  it("gives no two panels of a dashboard one title", () => {
    for (const { rows } of DASHBOARDS) {
      const panels = rows.flatMap(({ panels }) => panels);
      expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    }
  });
});
