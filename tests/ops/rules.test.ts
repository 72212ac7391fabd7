/** That Prometheus reads its configuration, and that no alert is without cases and a runbook; its judgement of the cases is in rules.slow.test.ts. */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { findPrometheus } from "@quantum/harness";
import { beforeAll, describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const PROMETHEUS = join(ROOT, "ops/prometheus");
const RUNBOOKS = join(ROOT, "docs/runbooks");
/** Where the package has to be fetched first. */
const FETCH_TIMEOUT_MS = 120_000;
const SECTIONS = ["## What it means", "## What is safe", "## What to look at", "## What to do"];
/** Opened by people, not by an alert. */
const WITHOUT_ALERT = ["BreakGlass"];
/** Never silent. */
const ALWAYS = ["Heartbeat"];
/** Reaches nobody. */
const WITHOUT_RUNBOOK = ["IncidentCause"];

let promtool: string;
let alerts: string[];
let withRunbook: string[];
beforeAll(async () => {
  ({ promtool } = await findPrometheus());
  const rules = await readFile(join(PROMETHEUS, "rules/alerts.yml"), "utf8");
  alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name = ""]) => name);
  withRunbook = alerts.filter((name) => !WITHOUT_RUNBOOK.includes(name));
}, FETCH_TIMEOUT_MS);

async function casesOf(): Promise<{ alert: string; fires: boolean }[]> {
  const files = (await readdir(join(PROMETHEUS, "tests"))).map((name) => join(PROMETHEUS, "tests", name));
  const texts = await Promise.all(files.map((file) => readFile(file, "utf8")));
  return texts.flatMap((text) =>
    [...text.matchAll(/alertname: (\w+)\n\s+exp_alerts:( \[\])?/g)].map(([, alert = "", none]) => ({
      alert,
      fires: none === undefined,
    })),
  );
}

describe("ops/prometheus", () => {
  it.each(["prometheus.yml", "prometheus.hosts.yml"])("has a %s that promtool accepts", async (name) => {
    const { stdout } = await promisify(execFile)(promtool, ["check", "config", join(PROMETHEUS, name)]);
    expect(stdout).toContain("rules found");
  });

  it("has a case that fires and one that does not for every alert", async () => {
    const cases = await casesOf();
    const lacking = alerts.filter(
      (alert) =>
        !cases.some((one) => one.alert === alert && one.fires) ||
        (!ALWAYS.includes(alert) && !cases.some((one) => one.alert === alert && !one.fires)),
    );
    expect(alerts.length).toBeGreaterThan(0);
    expect(lacking).toEqual([]);
  });
});

describe("docs/runbooks", () => {
  it("has one runbook an alert, and besides those that people open by themselves", async () => {
    const runbooks = await readdir(RUNBOOKS);
    // An alert of two severities is two rules.
    const expected = [...new Set(withRunbook), ...WITHOUT_ALERT].map((name) => `${name}.md`);
    expect(runbooks.toSorted()).toEqual(expected.toSorted());
  });

  it("says in each what it means, what is safe, what to look at and what to do, with commands", async () => {
    for (const name of [...withRunbook, ...WITHOUT_ALERT]) {
      const text = await readFile(join(RUNBOOKS, `${name}.md`), "utf8");
      expect(text).toMatch(new RegExp(`^# ${name}\n`));
      expect(text.match(/^## .*$/gm)).toEqual(SECTIONS);
      expect(text).toMatch(/```\n[\s\S]+?```/);
    }
  });

  it("is named by its alert's annotation", async () => {
    const rules = await readFile(join(PROMETHEUS, "rules/alerts.yml"), "utf8");
    const named = [...rules.matchAll(/runbook_url: "\{\{ \$externalLabels\.runbooks \}\}\/(\w+)\.md"/g)].map(
      ([, name]) => name,
    );
    expect(named).toEqual(withRunbook);
  });
});
