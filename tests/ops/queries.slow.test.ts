/**
 * Every query of the dashboards and the rules, asked of a real Prometheus that scraped a running pipeline: none may be
 * an error, and none may be empty unless its source says why. This finds a metric that was renamed on one side only.
 */
import { join } from "node:path";
import {
  eventually,
  patienceMs,
  type ServiceProcess,
  startAlertmanager,
  startPrometheus,
  type TestAlertmanager,
  type TestPrometheus,
} from "@quantum/harness";
import { PIPELINE, type PipelineName } from "@quantum/topology";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { configurationOf } from "../../ops/alertmanager/configuration.mjs";
import { ANNOTATIONS } from "../../ops/grafana/annotations.ts";
import { DASHBOARDS } from "../../ops/grafana/dashboards.ts";
import { type Rig, startRig, SYMBOLS } from "@quantum/harness/rig";

const RULES = join(import.meta.dirname, "../../ops/prometheus/rules/*.yml");
/** Where the package has to be fetched first. */
const START_TIMEOUT_MS = 120_000;
/** Two scrapes make a rate, and the first plan that finds no permit ends after its 1.2 s. */
const DATA_TIMEOUT_MS = 20_000;
/** The scrape interval of ops/prometheus. */
const SCRAPE_TIMEOUT_MS = 5_000;
/** What Grafana puts in; long enough for every scrape of the test. */
const RATE_INTERVAL = "1m";

interface Rule {
  name: string;
  type: "alerting" | "recording";
  query: string;
  health: string;
  lastError?: string;
}

let rig: Rig;
let prometheus: TestPrometheus;
let alertmanager: TestAlertmanager;
const services = new Map<string, ServiceProcess>();

beforeAll(async () => {
  rig = await startRig();
  const start = async (name: string, env: Record<string, string> = {}) =>
    services.set(name, await rig.start(name, env));
  // Some denials, some silence and a symbol that is not allowed: dashboards must show them.
  const own: Partial<Record<PipelineName, Record<string, string>>> = {
    "apply-layer": { APPLY_ALLOWLIST: SYMBOLS.slice(1).join(",") },
    governor: { GOV_SIM_DENY_RATE: "0.1" },
    // With the account's events up, P3.3 reads by REST only to audit.
    "position-brain": { P33_SIM_DENY_RATE: "0.1", P33_SIM_DROP_RATE: "0.05", P33_AUDIT_SEC: "5" },
  };
  await Promise.all(PIPELINE.map(({ name }) => start(name, own[name])));
  await start("harvest-feed", { FEED_RATE: "20" });
  // JSON is YAML.
  alertmanager = await startAlertmanager(
    JSON.stringify(configurationOf({ receivers: {}, critical: [], warning: [], heartbeat: null })),
  );
  const targets = [...services].map(([job, { url }]): [string, string] => [job, new URL(url).host]);
  prometheus = await startPrometheus(
    JSON.stringify({
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: [RULES],
      scrape_configs: [...targets, ["alertmanager", alertmanager.address]].map(([job, host]) => ({
        job_name: job,
        static_configs: [{ targets: [host] }],
      })),
    }),
  );
}, START_TIMEOUT_MS);
afterAll(async () => {
  await prometheus?.stop();
  await alertmanager?.stop();
  await rig?.stop();
});

/** Prometheus's answer. Throws what it says of a query that it cannot evaluate. */
async function ask(path: string, query: Record<string, string> = {}): Promise<unknown> {
  const answer = await fetch(`${prometheus.url}/api/v1/${path}?${new URLSearchParams(query).toString()}`);
  const { status, data, error } = (await answer.json()) as { status: string; data: unknown; error?: string };
  if (status !== "success") throw new Error(`${query["query"] ?? path}: ${error}`);
  return data;
}

/** Whether there is a series with a number: what is not a number draws nothing. */
async function hasData(query: string): Promise<boolean> {
  const { result } = (await ask("query", { query })) as { result: { value: [number, string] }[] };
  return result.some(({ value: [, value] }) => value !== "NaN");
}

/** Waits until every query has data; then, or at the deadline, those that have none. */
async function withoutData(queries: readonly string[]): Promise<string[]> {
  let lacking = [...queries];
  await eventually(
    async () => {
      const found = await Promise.all(lacking.map(hasData));
      lacking = lacking.filter((_, index) => !found[index]);
      return lacking.length === 0 ? true : undefined;
    },
    DATA_TIMEOUT_MS,
    "every query has data",
  ).catch((error: unknown) => {
    if (lacking.length === 0) throw error;
  });
  return lacking;
}

async function rules(type: Rule["type"]): Promise<Rule[]> {
  const { groups } = (await ask("rules")) as { groups: { rules: Rule[] }[] };
  return groups.flatMap((group) => group.rules).filter((rule) => rule.type === type);
}

/** With everything chosen. */
function asGrafanaAsks(expr: string): string {
  return expr.replaceAll("$__rate_interval", RATE_INTERVAL).replaceAll(/\$(symbol|instance)\b/g, ".*");
}

/** The names of the metrics in a query, without what stands in its matchers' quotes. */
function metricsIn(query: string): string[] {
  return (
    query
      .replaceAll(/"[^"]*"/g, "")
      .match(/\b(?:up|ALERTS|(?:quantum|p33|process|nodejs|alertmanager)[\w:]+)\b/g) ?? []
  );
}

describe("a running pipeline", () => {
  it("gives every panel of every dashboard its data", async () => {
    const queries = DASHBOARDS.flatMap(({ rows }) => rows)
      .flatMap(({ panels }) => panels)
      .flatMap(({ queries }) => queries)
      .map((query) => ({ ...query, expr: asGrafanaAsks(query.expr) }));
    const needed = queries.filter(({ mayBeEmpty }) => mayBeEmpty === undefined);
    expect(await withoutData(needed.map(({ expr }) => expr))).toEqual([]);
    for (const { expr } of [...queries, ...ANNOTATIONS]) await ask("query", { query: asGrafanaAsks(expr) });
  });

  it("gives every recording rule its data", async () => {
    const recorded = await rules("recording");
    expect(recorded.length).toBeGreaterThan(0);
    expect(await withoutData(recorded.map(({ query }) => query))).toEqual([]);
    expect(await withoutData(recorded.map(({ name }) => name))).toEqual([]);
  });

  it("has every metric that an alert asks for, and no alert that cannot be evaluated", async () => {
    const alerts = await eventually(
      async () => {
        const all = await rules("alerting");
        return all.every(({ health }) => health !== "unknown") ? all : undefined;
      },
      DATA_TIMEOUT_MS,
      "every alert was evaluated",
    );
    expect(alerts.filter(({ health }) => health !== "ok")).toEqual([]);
    // Whose expression is a number.
    const measured = alerts.filter(({ name }) => name !== "Heartbeat");
    const metrics = measured.map(({ query }) => metricsIn(query));
    expect(metrics.filter((names) => names.length === 0)).toEqual([]);
    expect(await withoutData([...new Set(metrics.flat())])).toEqual([]);
  });

  it("answers a scrape in time while Redis hangs, and says that it does", async () => {
    const redisUp = async ({ url }: ServiceProcess) => {
      const answer = await fetch(`${url}/metrics`, {
        signal: AbortSignal.timeout(patienceMs(SCRAPE_TIMEOUT_MS)),
      });
      return /^quantum_redis_up (.)$/m.exec(await answer.text())?.[1];
    };
    rig.redis.pause();
    try {
      // The first answer may be that of a scrape just before.
      await vi.waitFor(async () => {
        const scraped = await Promise.all(services.values().map(redisUp));
        expect(scraped).toEqual(scraped.map(() => "0"));
      });
    } finally {
      rig.redis.resume();
    }
  });

  it("raises an alert for what happens, and ends it", async () => {
    const raised = async () => {
      const { alerts } = (await ask("alerts")) as { alerts: { labels: { alertname: string } }[] };
      return alerts.some(({ labels }) => labels.alertname === "KillSwitchOn");
    };
    const until = (state: boolean) =>
      eventually(
        async () => ((await raised()) === state ? true : undefined),
        DATA_TIMEOUT_MS,
        `KillSwitchOn is ${state ? "on" : "off"}`,
      );
    expect(await raised()).toBe(false);
    await rig.client.set(rig.keys.killSwitch, "1");
    await until(true);
    await rig.client.del(rig.keys.killSwitch);
    await until(false);
  });
});
