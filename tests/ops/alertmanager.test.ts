/** Alertmanager's configuration: what is refused, what amtool says of the rest, who hears what, and what is silenced. */
import { execFile } from "node:child_process";
import { chmod, chown, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findAlertmanager, startAlertmanager, type TestAlertmanager } from "@quantum/harness";
import { PIPELINE } from "@quantum/topology";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { configurationOf } from "../../ops/alertmanager/configuration.mjs";
import { INCIDENTS, LOOKING_BACK, NEEDED } from "../../ops/alertmanager/incidents.mjs";
import { type Receivers, violationsOf } from "../../ops/alertmanager/receivers.mjs";

const ROOT = join(import.meta.dirname, "../..");
const OPS = join(ROOT, "ops/alertmanager");
/** Where the package has to be fetched first. */
const FETCH_TIMEOUT_MS = 120_000;

const NOBODY: Receivers = { receivers: {}, critical: [], warning: [], heartbeat: null };
let example: Receivers;
let amtool: string;
let dir: string;
beforeAll(async () => {
  ({ amtool } = await findAlertmanager());
  example = JSON.parse(await readFile(join(OPS, "receivers.example.json"), "utf8")) as Receivers;
  dir = await mkdtemp(join(tmpdir(), "quantum-receivers-"));
}, FETCH_TIMEOUT_MS);
afterAll(() => rm(dir, { recursive: true, force: true }));

const configOf = (receivers: Receivers) => JSON.stringify(configurationOf(receivers));

/** Everybody of `names` hears everything. */
function only(names: readonly string[]): Receivers {
  const receivers = Object.fromEntries(
    Object.entries(example.receivers).filter(([name]) => names.includes(name)),
  );
  return { ...example, receivers, critical: [...names], warning: [...names] };
}

async function written(name: string, content: string, mode = 0o600): Promise<string> {
  const file = join(dir, name);
  await writeFile(file, content);
  await chmod(file, mode);
  return file;
}

describe("a receivers' file", () => {
  it("may name nobody, or receivers of every kind", () => {
    expect(violationsOf(NOBODY)).toEqual([]);
    expect(violationsOf(example)).toEqual([]);
  });

  it("is refused with everything that is wrong with it", () => {
    const wrong = {
      receivers: {
        phone: { type: "telegram", bot_token: "12:a b", chat_id: "7" },
        team: { type: "slack", url: "ftp://example.org", channel: "#a" },
        desk: { type: "mail", to: "a@example.org", from: "{{ x }}@", server: "example.org", user: "a" },
        pager: { type: "pigeon" },
        bell: { type: "webhook", url: "https://example.org/\u0007" },
      },
      critical: ["phone", "fone", "desk", "pager", "bell"],
      heartbeat: { url: "https://example.org/{{ x }}", every: 1 },
      extra: 1,
    };
    expect(violationsOf(wrong).toSorted()).toEqual([
      'critical: there is no receiver "fone"',
      "extra: is not known here",
      "heartbeat.every: is not known here",
      "heartbeat.url: has {{, which begins a template",
      "receivers.bell.url: has a control character or a line break",
      "receivers.desk.from: has {{, which begins a template",
      "receivers.desk.password: is missing",
      "receivers.desk.server: must be HOST:PORT, for example smtp.example.org:587",
      "receivers.pager.type: must be one of webhook, telegram, slack, mail",
      "receivers.phone.bot_token: must be a bot's token, DIGITS:TEXT",
      "receivers.phone.chat_id: must be a number, not 0 (a group's is negative)",
      "receivers.team.channel: is not known for slack",
      "receivers.team.url: must be an http or https URL",
      "receivers.team: is in neither critical nor warning",
      "warning: must be a list of receivers' names",
    ]);
    expect(violationsOf([])).toEqual(["must be an object"]);
    expect(violationsOf({})).toHaveLength(4);
  });
});

describe("render.mjs", () => {
  const render = (source: string, target: string) =>
    promisify(execFile)(process.execPath, [join(OPS, "render.mjs"), source, target]).then(
      ({ stderr }) => ({ code: 0, stderr }),
      ({ code, stderr }: { code: number; stderr: string }) => ({ code, stderr }),
    );

  it("writes what only the owner can read, in place of what was there", async () => {
    const target = await written("alertmanager.yml", "old", 0o644);
    expect(await render(await written("all.json", JSON.stringify(example)), target)).toEqual({
      code: 0,
      stderr: "",
    });
    expect((await stat(target)).mode & 0o777).toBe(0o600);
    await promisify(execFile)(amtool, ["check-config", target]);
    const [comment = "", ...json] = (await readFile(target, "utf8")).split("\n");
    expect(comment).toMatch(/^# /);
    expect(JSON.parse(json.join("\n"))).toEqual(JSON.parse(configOf(example)));
  });

  it.runIf(process.getuid?.() === 0)("leaves the file to whom it belonged", async () => {
    const target = await written("owned.yml", "old");
    await chown(target, 65_534, 65_534);
    expect(await render(join(OPS, "receivers.nobody.json"), target)).toMatchObject({ code: 0 });
    expect(await stat(target)).toMatchObject({ uid: 65_534, gid: 65_534 });
  });

  it("says that nobody will hear, where that is what the file says", async () => {
    const { code, stderr } = await render(join(OPS, "receivers.nobody.json"), join(dir, "nobody.yml"));
    expect(code).toBe(0);
    expect(stderr.trim().split("\n")).toHaveLength(3);
  });

  it.each([
    ["is not JSON", '{ "secret": '],
    ["has a violation", JSON.stringify({ ...NOBODY, secret: "secret" })],
  ])("leaves the old configuration and shows no secret when the file %s", async (_what, content) => {
    const target = await written("kept.yml", "old");
    const { code, stderr } = await render(await written("wrong.json", content), target);
    expect([code, await readFile(target, "utf8")]).toEqual([2, "old"]);
    expect(stderr.replaceAll("secret: is not known", "")).not.toContain("secret");
  });

  it("refuses a file with secrets that others can read", async () => {
    const source = await written("open.json", JSON.stringify(example), 0o640);
    expect(await render(source, join(dir, "open.yml"))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("chmod 600"),
    });
  });
});

describe("the configuration", () => {
  it("is valid for amtool with every combination of receivers", async () => {
    const names = Object.keys(example.receivers);
    const combinations = [...Array(2 ** names.length).keys()].map((bits) =>
      names.filter((_, index) => (bits & (1 << index)) !== 0),
    );
    const files = await Promise.all(
      combinations.map((some) => written(`${["config", ...some].join("-")}.yml`, configOf(only(some)))),
    );
    files.push(await written("config-nobody.yml", configOf(NOBODY)));
    const { stdout } = await promisify(execFile)(amtool, ["check-config", ...files]);
    expect(stdout.match(/SUCCESS/g)).toHaveLength(17);
  });

  it.each([
    ["critical", ["alertname=KillSwitchOn", "severity=critical"]],
    ["warning", ["alertname=DeadLetters", "severity=warning"]],
    ["heartbeat", ["alertname=Heartbeat", "severity=none"]],
    ["nobody", ["alertname=IncidentCause", "severity=none"]],
    ["critical", ["alertname=SomebodyElses", "severity=page"]],
  ])("lets %s hear of %s", async (receiver, labels) => {
    const file = await written("routes.yml", configOf(example));
    const { stdout } = await promisify(execFile)(amtool, [
      ...["config", "routes", "test", `--config.file=${file}`, `--verify.receivers=${receiver}`],
      ...labels,
    ]);
    expect(stdout.trim()).toBe(receiver);
  });
});

describe("the incidents", () => {
  const rules = async () => {
    const text = await readFile(join(ROOT, "ops/prometheus/rules/alerts.yml"), "utf8");
    return text
      .split(/\n {6}- alert: /)
      .slice(1)
      .map((rule) => ({
        name: /^\w+/.exec(rule)?.[0] ?? "",
        severity: /severity: (\w+)/.exec(rule)?.[1] ?? "",
        looksBack: /expr:(?:(?!\n {8}\S)[\s\S])*5m/.test(rule),
      }));
  };
  const edges = INCIDENTS.flatMap(({ cause, consequence }) =>
    cause.alerts.flatMap((from) => consequence.alerts.map((to): [string, string] => [from, to])),
  );

  it("name alerts that there are, and causes that are critical", async () => {
    const all = await rules();
    const names = all.map(({ name }) => name);
    const critical = all.filter(({ severity }) => severity === "critical").map(({ name }) => name);
    expect(edges.flat().filter((name) => !names.includes(name))).toEqual([]);
    expect(edges.map(([from]) => from).filter((name) => !critical.includes(name))).toEqual([]);
  });

  it("know which consequences look back", async () => {
    const consequences = new Set(edges.map(([, to]) => to));
    const looking = (await rules()).filter(({ name, looksBack }) => looksBack && consequences.has(name));
    expect(new Set(looking.map(({ name }) => name))).toEqual(new Set(LOOKING_BACK));
  });

  it("go in no circle, in which everything would be silent", () => {
    const reach = (from: string, seen: readonly string[] = []): string[] =>
      edges
        .filter(([cause]) => cause === from)
        .flatMap(([, to]) => (seen.includes(to) ? [to] : [to, ...reach(to, [...seen, to])]));
    const causes = [...new Set(edges.map(([from]) => from))];
    expect(causes.filter((cause) => reach(cause).includes(cause))).toEqual([]);
  });

  it("name the services without which no plan is executed", () => {
    expect(NEEDED.toSorted()).toEqual(PIPELINE.map(({ name }) => name).toSorted());
  });
});

describe("a running Alertmanager", () => {
  let alertmanager: TestAlertmanager;
  beforeAll(async () => {
    alertmanager = await startAlertmanager(configOf(NOBODY));
  });
  afterAll(() => alertmanager.stop());

  const api = (query = "") => `http://${alertmanager.address}/api/v2/alerts${query}`;
  async function send(alerts: readonly Record<string, string>[], endsAt: Date): Promise<void> {
    const body = JSON.stringify(alerts.map((labels) => ({ labels, endsAt })));
    const answer = await fetch(api(), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    expect(answer.status).toBe(200);
  }
  async function heard(): Promise<string[]> {
    const answer = await fetch(api("?inhibited=false"));
    const alerts = (await answer.json()) as { labels: Record<string, string> }[];
    return alerts.map(({ labels }) => textOf(labels)).toSorted();
  }
  const textOf = (labels: Record<string, string>) => Object.values(labels).toSorted().join(" ");
  const critical = (alertname: string, labels: Record<string, string> = {}) => ({
    alertname,
    severity: "critical",
    ...labels,
  });
  const warning = (alertname: string, labels: Record<string, string> = {}) => ({
    alertname,
    severity: "warning",
    ...labels,
  });
  const cause = (cause: string, labels: Record<string, string> = {}) => ({
    alertname: "IncidentCause",
    severity: "none",
    within: "6m",
    cause,
    ...labels,
  });

  it.each<[string, Record<string, string>[], Record<string, string>[]]>([
    [
      "the kill switch, and an order in doubt",
      [critical("KillSwitchOn"), cause("KillSwitchOn"), critical("OrderInDoubt")],
      [
        warning("PermitBlocksFrequent", { reason: "kill_switch_active" }),
        warning("PermitBlockShareHigh"),
        critical("CloseUnfulfilled", { symbol: "BTCUSDT" }),
      ],
    ],
    [
      "the kill switch, some seconds ago",
      [cause("KillSwitchOn"), cause("KillSwitchOn", { within: "1m" })],
      [
        warning("PermitBlocksFrequent", { reason: "kill_switch_active" }),
        critical("CloseUnfulfilled", { symbol: "BTCUSDT" }),
      ],
    ],
    [
      "the kill switch, some minutes ago",
      [cause("KillSwitchOn"), critical("CloseUnfulfilled", { symbol: "BTCUSDT" })],
      [warning("PermitBlocksFrequent", { reason: "kill_switch_active" })],
    ],
    [
      "Redis",
      [
        ...NEEDED.flatMap((job) => [
          critical("RedisUnreachable", { job }),
          cause("RedisUnreachable", { job }),
        ]),
      ],
      [
        ...NEEDED.map((job) => critical("ServiceNotReady", { job, instance: "a" })),
        ...NEEDED.map((job) => critical("StreamReaderStalled", { job, stream: "a", group: "b" })),
        critical("OrdersUnowned"),
        critical("SnapshotStale", { symbol: "BTCUSDT" }),
        critical("IssuerSilent", { issuer: "governor", job: "governor" }),
        warning("NoProposals"),
      ],
    ],
    [
      "one issuer of two",
      [
        critical("ServiceDown", { job: "governor" }),
        cause("ServiceDown", { job: "governor" }),
        critical("IssuerSilent", { issuer: "p33", job: "position-brain" }),
      ],
      [
        critical("IssuerSilent", { issuer: "governor", job: "governor" }),
        critical("BacklogFull"),
        warning("StreamLagHigh", { stream: "a", group: "governor" }),
      ],
    ],
    [
      "an issuer that plans may not need",
      [
        critical("ServiceDown", { job: "portfolio-gate" }),
        cause("ServiceDown", { job: "portfolio-gate" }),
        critical("CloseUnfulfilled", { symbol: "BTCUSDT" }),
        warning("PermitBlockShareHigh"),
      ],
      [],
    ],
    [
      "one symbol",
      [critical("DriftHold", { symbol: "BTCUSDT" }), critical("CloseUnfulfilled", { symbol: "ETHUSDT" })],
      [critical("CloseUnfulfilled", { symbol: "BTCUSDT" })],
    ],
    [
      "what was a warning before",
      [
        critical("CloseUnfulfilled", { symbol: "BTCUSDT" }),
        warning("CloseUnfulfilled", { symbol: "ETHUSDT" }),
      ],
      [warning("CloseUnfulfilled", { symbol: "BTCUSDT" })],
    ],
  ])("tells of %s, and not of what follows from it", async (_what, told, silenced) => {
    const all = [...told, ...silenced];
    await send(all, new Date(Date.now() + 3_600_000));
    await vi.waitFor(async () => expect(await heard()).toEqual(told.map(textOf).toSorted()));
    await send(all, new Date(Date.now() - 1_000));
    await vi.waitFor(async () => expect(await heard()).toEqual([]));
  });
});
