import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { toGrafana } from "../../ops/grafana/dashboard.ts";
import { DASHBOARDS, dashboardFiles } from "../../ops/grafana/dashboards.ts";
import { DATA_SOURCE, VARIABLES } from "../../ops/grafana/variables.ts";

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
    const image = /grafana\/grafana:([\d.]+)/.exec(await read("docker-compose.yml"))?.[1];
    const { devDependencies } = JSON.parse(await read("package.json")) as {
      devDependencies: Record<string, string>;
    };
    expect(devDependencies["@grafana/schema"]).toBe(image);
  });

  it("asks the data source that was chosen, at first the provisioned one", async () => {
    const provisioned = await read("ops/grafana/provisioning/datasources/prometheus.yml");
    for (const { text } of dashboardFiles()) {
      const uids = [...text.matchAll(/"type": "prometheus",\s+"uid": "(.+)"/g)].map(([, uid]) => uid);
      expect(new Set(uids)).toEqual(new Set([DATA_SOURCE.uid]));
      const { templating } = JSON.parse(text) as ReturnType<typeof toGrafana>;
      const chosen = templating?.list?.find(({ type }) => type === "datasource");
      expect(DATA_SOURCE.uid).toBe(`\${${chosen?.name}}`);
      expect(provisioned).toContain(`uid: ${chosen?.current?.value as string}\n`);
    }
  });

  it("uses each variable, and only those that there are", () => {
    const names = VARIABLES.map(({ name }) => name);
    const texts = dashboardFiles().map(({ text }) => text);
    const asked = texts.flatMap((text) => [...text.matchAll(/\$\{?([a-z]+)\b/g)].map(([, name]) => name));
    expect(new Set(asked)).toEqual(new Set(names));
  });

  it("links to runbooks that are there", async () => {
    const runbooks = await readdir(join(ROOT, "docs/runbooks"));
    const panels = DASHBOARDS.flatMap(({ rows }) => rows).flatMap(({ panels }) => panels);
    const linked = panels.flatMap(({ runbooks: names = [] }) => names.map((name) => `${name}.md`));
    expect(linked.length).toBeGreaterThan(0);
    expect(linked.filter((name) => !runbooks.includes(name))).toEqual([]);
  });

  it("provisions the folder that compose mounts", async () => {
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
