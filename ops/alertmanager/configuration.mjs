// Alertmanager's configuration for a list of receivers, valid on 0.25 and later. It is JSON, which is YAML, so that no
// secret has to be quoted.
import { INCIDENTS, LOOKING_BACK } from "./incidents.mjs";
import { RECEIVER_TYPES } from "./receivers.mjs";

/** @typedef {import("./receivers.mjs").Receivers} Receivers */

/** Long enough for a cause to arrive before its consequences are sent, and for the other instances and symbols. */
const GATHER = { critical: "15s", warning: "1m" };
/** When what has been added to an incident, or has ended, is sent. */
const FOLLOW_UP = { critical: "2m", warning: "10m" };
/** Critical: somebody has to act. Warning: look at it today. */
const REMIND = { critical: "1h", warning: "1d" };

/**
 * The heartbeat's pause is twice the interval: whether to repeat is decided at each interval only, and one that is as
 * long as the pause would miss every second beat by the time that sending takes.
 */
const HEARTBEAT = { group_wait: "0s", group_interval: "30s", repeat_interval: "45s" };

/**
 * The whole configuration. The receivers have no violations.
 * @param {Receivers} receivers
 */
export function configurationOf({ receivers, critical, warning, heartbeat }) {
  /** @param {"critical" | "warning"} severity */
  const timing = (severity) => ({
    group_by: ["alertname"],
    group_wait: GATHER[severity],
    group_interval: FOLLOW_UP[severity],
    repeat_interval: REMIND[severity],
  });
  /** @param {readonly string[]} names */
  const configsOf = (names) => {
    /** @type {Record<string, object[]>} */
    const configs = {};
    for (const name of names) {
      const { type, ...fields } = receivers[name] ?? {};
      const kind = RECEIVER_TYPES[String(type)];
      if (kind !== undefined) (configs[kind.key] ??= []).push(kind.config(fields));
    }
    return configs;
  };
  return {
    // An alert of no known severity is critical.
    route: {
      receiver: "critical",
      ...timing("critical"),
      routes: [
        { matchers: ['alertname="Heartbeat"'], receiver: "heartbeat", ...HEARTBEAT },
        { matchers: ['severity="none"'], receiver: "nobody" },
        { matchers: ['severity="warning"'], receiver: "warning", ...timing("warning") },
      ],
    },
    receivers: [
      { name: "critical", ...configsOf(critical) },
      { name: "warning", ...configsOf(warning) },
      {
        name: "heartbeat",
        ...(heartbeat !== null && { webhook_configs: [{ url: heartbeat.url, send_resolved: false }] }),
      },
      { name: "nobody" },
    ],
    inhibit_rules: [...INCIDENTS.flatMap(inhibitRulesOf), ESCALATED],
  };
}

/** An alert that has become critical is not over as a warning. */
const ESCALATED = {
  source_matchers: ['severity="critical"'],
  target_matchers: ['severity="warning"'],
  equal: ["alertname", "symbol"],
};

/** @param {import("./incidents.mjs").Incident} incident */
function inhibitRulesOf({ cause, consequence, equal }) {
  /**
   * @param {readonly string[]} sources
   * @param {readonly string[]} targets
   */
  const rule = (sources, targets) => ({
    source_matchers: [...sources, ...ofJobs(cause.jobs)],
    target_matchers: [oneOf("alertname", targets), ...ofJobs(consequence.jobs)],
    ...(equal !== undefined && { equal }),
  });
  const lookingBack = consequence.alerts.filter((name) => LOOKING_BACK.includes(name));
  const others = consequence.alerts.filter((name) => !LOOKING_BACK.includes(name));
  /** @param {string} time */
  const within = (time) => ['alertname="IncidentCause"', `within="${time}"`, oneOf("cause", cause.alerts)];
  return [
    // IncidentCause comes some seconds after the cause: those that may fire at once are silenced by both.
    ...(others.length > 0
      ? [rule([oneOf("alertname", cause.alerts)], others), rule(within("1m"), others)]
      : []),
    ...(lookingBack.length > 0 ? [rule(within("6m"), lookingBack)] : []),
  ];
}

/** @param {readonly string[] | undefined} jobs */
const ofJobs = (jobs) => (jobs === undefined ? [] : [oneOf("job", jobs)]);

/**
 * @param {string} label
 * @param {readonly string[]} values
 */
const oneOf = (label, values) => `${label}=~"${values.join("|")}"`;
