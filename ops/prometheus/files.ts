/** Prometheus's configurations by name, each with the targets that the topology has: what `write.ts` writes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Row, SERVICES } from "@quantum/topology";

/** File names below ops/prometheus with their contents. */
export function prometheusFiles(services: readonly Row[] = SERVICES): Map<string, string> {
  const onHosts = services.filter(({ standIn }) => standIn === undefined);
  // Who only looks may be gone: that is a warning of its own.
  const onPath = onHosts.filter(({ watches }) => watches !== true);
  const needed = onPath.filter((service) => !isOptional(service));
  return new Map([
    ["prometheus.hosts.yml", hosts(onHosts)],
    ["prometheus.yml", compose(services)],
    ["rules/alerts.yml", alerts(onPath, needed)],
    ["rules/recording.yml", recording(onPath)],
    ["tests/service-down.test.yml", serviceDownCases(needed, onPath.filter(isOptional))],
  ]);
}

/** An issuer that plans do not need by default: it need not run. */
function isOptional({ issuer }: Row): boolean {
  return issuer?.required === false;
}

/** `alertmanager` is its address, `runbooks` what every `runbook_url` begins with. */
const head = (alertmanager: string, runbooks: string) => `global:
  scrape_interval: 5s
  evaluation_interval: 5s
  external_labels:
    runbooks: ${runbooks}

rule_files:
  - rules/*.yml

alerting:
  alertmanagers:
    - static_configs: [{ targets: ["${alertmanager}"] }]
  alert_relabel_configs:
    # It is for the annotation: an alert is the same alert when its runbook has moved.
    - { action: labeldrop, regex: runbooks }

scrape_configs:
  - job_name: alertmanager
    static_configs: [{ targets: ["${alertmanager}"] }]`;

function hosts(services: readonly Row[]): string {
  return `# On hosts: the services of this machine at their fixed ports. Copy it with rules/ to /etc/prometheus; a second replica
# is a second target of its job. The Python governor and position brain answer at the same ports with the same names.
# The label \`runbooks\` is where the people who get the alerts can read docs/runbooks, for example a URL of your repository.
# Written by ops/prometheus/write.ts.
${head("127.0.0.1:9093", "docs/runbooks")}
${jobs(
  services.filter((service) => whereItRuns(service) === undefined),
  hostTargets,
)}
${services
  .flatMap((service) => {
    const where = whereItRuns(service);
    return where === undefined ? [] : [commented(`${where}:\n${jobs([service], hostTargets)}`)];
  })
  .join("\n")}
`;
}

/** Of a service that a host may lack; a target that never answers would be an alert. */
function whereItRuns(service: Row): string | undefined {
  if (isOptional(service)) return `Where APPLY_REQUIRED_PERMITS names ${service.issuer?.name}`;
  return service.watches === true ? `Where the ${service.name} runs` : undefined;
}

function hostTargets({ port }: Row): string {
  return `static_configs: [{ targets: ["127.0.0.1:${port}"] }]`;
}

function commented(text: string): string {
  return text.replaceAll(/^/gm, "# ");
}

function compose(services: readonly Row[]): string {
  return `# In compose: every replica of a service, by the addresses that its name has.
# The jobs are those of prometheus.hosts.yml; rules and dashboards know services by them.
# Prometheus 3 replaces RUNBOOKS_URL; 2 does with --enable-feature=expand-external-labels.
# Written by ops/prometheus/write.ts.
${head("alertmanager:9093", "${RUNBOOKS_URL}")}
${jobs(services, ({ name, port }) => `dns_sd_configs: [{ names: [${name}], type: A, port: ${port}, refresh_interval: 5s }]`)}
`;
}

function jobs(services: readonly Row[], targets: (service: Row) => string): string {
  return services.map((service) => `  - job_name: ${service.name}\n    ${targets(service)}`).join("\n");
}

/** The rules, with the one expression that names every job: a target that is gone has no series to be found by. */
function alerts(services: readonly Row[], needed: readonly Row[]): string {
  const names = services.map(({ name }) => name);
  const expression = `max by (job) (up{job=~"${names.join("|")}"}) == 0
${needed.map(({ name }) => `          or absent(up{job="${name}"})`).join("\n")}`;
  const rules = readFileSync(join(import.meta.dirname, "rules/alerts.yml"), "utf8");
  return rules.replace(/(- alert: ServiceDown\n +expr: >-\n +)[\s\S]*?(?=\n +for:)/, `$1${expression}`);
}

/** The recorded series, with one of each issuer at the end. */
function recording(services: readonly Row[]): string {
  const text = readFileSync(join(import.meta.dirname, "rules/recording.yml"), "utf8");
  const [others] = text.split(/(?<=# The share of waits that ended .*\n)/);
  const shares = services.flatMap(({ name, issuer }) => {
    if (issuer === undefined) return [];
    // `missing_both` names the two issuers of the default.
    const both = issuer.required ? `both|(.+_)?${issuer.name}(_.+)?` : `(.+_)?${issuer.name}(_.+)?`;
    return `      - record: quantum:permit_missing:ratio5m
        labels: { issuer: ${issuer.name}, job: ${name} }
        expr: >-
          (sum(quantum:permit_blocks:rate5m{reason=~"missing_(${both})"}) or vector(0))
          / sum(quantum:permit_waits:rate5m)
`;
  });
  return [others, ...shares].join("");
}

/** What the rule that names every job says of them. */
function serviceDownCases(services: readonly Row[], optional: readonly Row[]): string {
  const series = ({ name }: Row, values: string) => `      - series: 'up{job="${name}", instance="a"}'
        values: "${values}"`;
  const fires = (name: string) => `        exp_alerts:
          - exp_labels: { severity: critical, job: ${name} }
            exp_annotations:
              summary: "No instance of ${name} answers"
              runbook_url: /ServiceDown.md`;
  const silent = "        exp_alerts: []";
  const at = (time: string, expected: string) => `      - eval_time: ${time}
        alertname: ServiceDown
${expected}`;
  const test = (name: string, up: readonly string[], ...looks: readonly string[]) => `  - name: "${name}"
    interval: 15s
    input_series:
${up.join("\n")}
    alert_rule_test:
${looks.join("\n")}
`;
  const up = (some: readonly Row[]) => some.map((service) => series(service, "1x8"));
  const down = services.map((service) => {
    const others = up(services.filter((other) => other !== service));
    return [
      test(
        `${service.name} does not answer`,
        [...others, series(service, "1 0x7")],
        at("30s", silent),
        at("1m", fires(service.name)),
      ),
      test(`${service.name} is not to be found any more`, others, at("1m", fires(service.name))),
    ];
  });
  const optionalDown = optional.map((service) =>
    test(
      `${service.name}, which need not run, is scraped and does not answer`,
      [...up(services), series(service, "1 0x7")],
      at("30s", silent),
      at("1m", fires(service.name)),
    ),
  );
  return `# Services: down, gone. Written by ops/prometheus/write.ts.
rule_files:
  - ../rules/recording.yml
  - ../rules/alerts.yml
evaluation_interval: 15s

tests:
${[
  test(
    "every service answers; one replica of two is down",
    [
      ...up(services),
      ...services.map((service) => series(service, "0x8").replace('instance="a"', 'instance="b"')),
    ],
    at("2m", silent),
  ),
  ...down.flat(),
  ...optionalDown,
].join("\n")}`;
}
