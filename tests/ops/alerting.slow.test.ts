/**
 * The way of an alert, with real servers: the rules and configuration of hosts in a Prometheus, the rendered
 * configuration in an Alertmanager, and receivers of every kind. Only times are shorter.
 */
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  eventually,
  patienceMs,
  startAlertmanager,
  startPrometheus,
  type TestAlertmanager,
  type TestPrometheus,
} from "@quantum/harness";
import { afterAll, beforeAll, expect, it } from "vitest";
import { configurationOf } from "../../ops/alertmanager/configuration.mjs";
import { type FakeReceivers, startReceivers } from "./fake-receivers.ts";

const PROMETHEUS = join(import.meta.dirname, "../../ops/prometheus");
const RUNBOOKS = "https://example.org/runbooks";
const SUMMARY = "The kill switch is on: no position is closed";
/** Where packages have to be fetched first. */
const START_TIMEOUT_MS = 240_000;
const HEARD_TIMEOUT_MS = 20_000;
/** Many pauses between two heartbeats. */
const SILENCE_MS = 5_000;

/** What the pipeline measures. */
let halted = false;
let blocks = 0;
function metrics(): string {
  if (halted) blocks += 100;
  return `quantum_kill_switch_active ${halted ? 1 : 0}
quantum_permit_block_total{reason="kill_switch_active",symbol="BTCUSDT"} ${blocks}
quantum_permit_wait_ms_count{outcome="blocked"} ${blocks}
`;
}

interface Webhook {
  status: "firing" | "resolved";
  groupLabels: { alertname: string };
  alerts: { labels: Record<string, string>; annotations: Record<string, string> }[];
}

let pipeline: Server;
let receivers: FakeReceivers;
let dir: string;
let alertmanager: TestAlertmanager;
let prometheus: TestPrometheus;
let prometheusConfig: string;

const webhooks = (path: string) => receivers.heard(path) as readonly Webhook[];
const heartbeats = () => webhooks("/heartbeat").length;

beforeAll(async () => {
  pipeline = createServer((_, response) => response.setHeader("content-type", "text/plain").end(metrics()));
  await once(pipeline.listen(0, "127.0.0.1"), "listening");
  receivers = await startReceivers();
  alertmanager = await startAlertmanager(hurried());
  dir = await mkdtemp(join(tmpdir(), "quantum-alerting-"));
  prometheusConfig = await configuredFor(`127.0.0.1:${(pipeline.address() as AddressInfo).port}`);
  await startHurried();
}, START_TIMEOUT_MS);
afterAll(async () => {
  await prometheus?.stop();
  await alertmanager?.stop();
  receivers?.stop();
  pipeline?.close();
  await rm(dir, { recursive: true, force: true });
});

/** Alertmanager's configuration. A heartbeat is sent at every second interval here, too. */
function hurried(): string {
  const url = (path: string) => `http://${receivers.address}${path}`;
  const { route, ...rest } = configurationOf({
    receivers: {
      pager: { type: "webhook", url: url("/critical") },
      phone: { type: "telegram", bot_token: "1:token", chat_id: -1 },
      team: { type: "slack", url: url("/slack") },
      desk: { type: "mail", to: "a@example.org", from: "b@example.org", server: receivers.mailAddress },
      office: { type: "webhook", url: url("/warning") },
    },
    critical: ["pager", "phone", "team", "desk"],
    warning: ["office"],
    heartbeat: { url: url("/heartbeat") },
  });
  const times = { group_wait: "2s", group_interval: "1s" };
  const [heartbeat, ...others] = route.routes;
  return JSON.stringify({
    ...rest,
    global: { telegram_api_url: `http://${receivers.address}`, smtp_require_tls: false },
    route: {
      ...route,
      ...times,
      routes: [
        { ...heartbeat, group_interval: "300ms", repeat_interval: "400ms" },
        ...others.map((one) => ({ ...one, ...times })),
      ],
    },
  });
}

/** Prometheus's configuration of hosts and its rules. All services are one target. */
async function configuredFor(target: string): Promise<string> {
  await cp(join(PROMETHEUS, "rules"), join(dir, "rules"), { recursive: true });
  const alerts = join(dir, "rules/alerts.yml");
  await writeFile(alerts, (await readFile(alerts, "utf8")).replaceAll(/for: [25]m/g, "for: 0s"));
  return (await readFile(join(PROMETHEUS, "prometheus.hosts.yml"), "utf8"))
    .replaceAll(/(scrape|evaluation)_interval: 5s/g, "$1_interval: 200ms")
    .replaceAll(/127\.0\.0\.1:8\d+/g, target)
    .replaceAll("127.0.0.1:9093", alertmanager.address)
    .replaceAll("runbooks: docs/runbooks", `runbooks: ${RUNBOOKS}`)
    .replace("rules/*.yml", join(dir, "rules/*.yml"));
}

/** Alertmanager takes an alert for ended when it has not been sent again for four times this delay. */
async function startHurried(): Promise<void> {
  prometheus = await startPrometheus(prometheusConfig, { "rules.alert.resend-delay": "1s" });
}

const until = (what: string, condition: () => boolean | Promise<boolean>) =>
  eventually(async () => ((await condition()) ? true : undefined), HEARD_TIMEOUT_MS, what);

async function firing(): Promise<string[]> {
  const answer = await fetch(`${prometheus.url}/api/v1/alerts`);
  const { data } = (await answer.json()) as {
    data: { alerts: { state: string; labels: { alertname: string } }[] };
  };
  return data.alerts.filter(({ state }) => state === "firing").map(({ labels }) => labels.alertname);
}

async function silenced(): Promise<string[]> {
  const answer = await fetch(`http://${alertmanager.address}/api/v2/alerts?active=false&silenced=false`);
  const alerts = (await answer.json()) as { labels: { alertname: string } }[];
  return alerts.map(({ labels }) => labels.alertname);
}

it("makes one message of one incident, and one of its end, for each receiver", async () => {
  const consequences = ["PermitBlockShareHigh", "PermitBlocksFrequent"];
  halted = true;
  await until("the consequences have arrived and are silenced", async () => {
    const names = await silenced();
    return consequences.every((name) => names.includes(name));
  });
  await until("the incident is heard of", () => webhooks("/critical").length > 0);
  halted = false;
  const all = [
    () => webhooks("/critical"),
    () => receivers.heard("/bot1:token/sendMessage"),
    () => receivers.heard("/slack"),
    () => receivers.mails,
  ];
  await until("its end is heard of by all", () => all.every((heard) => heard().length === 2));

  // The receiver of warnings would have heard by now: its group is sent every second.
  const before = heartbeats();
  await until("some heartbeats later", () => heartbeats() >= before + 5);
  expect(await firing()).toEqual(expect.arrayContaining(consequences));
  expect(webhooks("/warning")).toEqual([]);
  expect(all.map((heard) => heard().length)).toEqual([2, 2, 2, 2]);
  expect(webhooks("/critical").map(({ status, groupLabels }) => [status, groupLabels])).toEqual([
    ["firing", { alertname: "KillSwitchOn" }],
    ["resolved", { alertname: "KillSwitchOn" }],
  ]);
});

it("says in each message what happened, since when, and where the runbook is", () => {
  const runbook = `${RUNBOOKS}/KillSwitchOn.md`;
  // What the runbooks' address is made of is no label.
  const [alert] = webhooks("/critical")[0]?.alerts ?? [];
  expect(alert?.labels).toEqual({ alertname: "KillSwitchOn", severity: "critical" });
  expect(alert?.annotations).toEqual({ summary: SUMMARY, runbook_url: runbook });

  const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`;
  const firing = new RegExp(`^${SUMMARY}\nsince ${time} UTC\n${runbook}$`, "m");
  const telegram = receivers.heard("/bot1:token/sendMessage") as { text: string }[];
  expect(telegram[0]?.text).toMatch(firing);
  expect(telegram.map(({ text }) => text.split("\n")[0])).toEqual([
    "CRITICAL KillSwitchOn",
    "OVER KillSwitchOn",
  ]);
  expect(telegram[1]?.text).toContain(`over: ${SUMMARY}`);

  const slack = receivers.heard("/slack") as { attachments: { title: string; text: string }[] }[];
  expect(slack[0]?.attachments[0]?.title).toBe("CRITICAL KillSwitchOn");
  expect(slack[0]?.attachments[0]?.text).toMatch(firing);

  expect(receivers.mails[0]).toMatch(/^Subject: CRITICAL KillSwitchOn$/m);
  expect(receivers.mails[0]).toMatch(firing);
});

/** What the service elsewhere does: resolves when it has heard nothing for so long. */
async function silence(): Promise<void> {
  const silenceMs = patienceMs(SILENCE_MS);
  let last = heartbeats();
  let since = performance.now();
  await eventually(
    async () => {
      if (heartbeats() !== last) [last, since] = [heartbeats(), performance.now()];
      return performance.now() - since > silenceMs ? true : undefined;
    },
    2 * silenceMs + HEARD_TIMEOUT_MS,
    "no heartbeat any more",
  );
}

it("lets the heartbeat fall silent when Prometheus is killed", async () => {
  const before = heartbeats();
  await until("the heart beats", () => heartbeats() > before + 1);
  await prometheus.stop();
  await silence();
  const silent = heartbeats();
  await startHurried();
  await until("the heart beats again", () => heartbeats() > silent + 1);
  expect(await firing()).toContain("Heartbeat");
});

it("lets the heartbeat fall silent when Alertmanager is killed", async () => {
  await alertmanager.stop();
  await silence();
  // Prometheus, which still runs, has nobody to tell.
  expect(await firing()).toContain("Heartbeat");
});
