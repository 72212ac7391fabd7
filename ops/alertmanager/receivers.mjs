// The receivers' file: what may be in it, and what each kind of receiver is for Alertmanager.
//
// { "receivers": { "phone": { "type": "telegram", … }, … },
//   "critical": ["phone"], "warning": ["phone"], "heartbeat": { "url": … } }

/**
 * @typedef {object} Receivers
 * @property {Record<string, Record<string, unknown>>} receivers By names of your choice, each with its type.
 * @property {string[]} critical Names of those who are told when something is critical.
 * @property {string[]} warning
 * @property {{ url: string } | null} heartbeat Is called every minute, and raises the alarm when it is not.
 *
 * @typedef {(value: unknown) => string | undefined} Check What is wrong with a value. It never shows the value.
 */

/** @type {Check} */
function text(value) {
  if (typeof value !== "string" || value === "") return "must be a text";
  return /[\p{C}\p{Zl}\p{Zp}]/u.test(value) ? "has a control character or a line break" : undefined;
}

/**
 * A text that Alertmanager takes for a template.
 * @type {Check}
 */
function plainText(value) {
  return text(value) ?? (String(value).includes("{{") ? "has {{, which begins a template" : undefined);
}

/** @type {Check} */
function webUrl(value) {
  const problem = plainText(value);
  if (problem !== undefined) return problem;
  try {
    if (["http:", "https:"].includes(new URL(String(value)).protocol)) return undefined;
  } catch {
    // Its message quotes the value.
  }
  return "must be an http or https URL";
}

/** @type {Check} */
const botToken = (value) =>
  typeof value === "string" && /^\d+:[\w-]+$/.test(value) ? undefined : "must be a bot's token, DIGITS:TEXT";

/** @type {Check} */
const chatId = (value) =>
  Number.isSafeInteger(value) && value !== 0 ? undefined : "must be a number, not 0 (a group's is negative)";

/** @type {Check} */
const hostAndPort = (value) =>
  typeof value === "string" && /^(\[[\da-f:]+\]|[\w.-]+):\d+$/i.test(value)
    ? undefined
    : "must be HOST:PORT, for example smtp.example.org:587";

/** @type {Check} */
const address = (value) =>
  plainText(value) ?? (String(value).includes("@") ? undefined : "must be a mail address");

/** What people read: which alert, since when, and where it says what to do. */
const TITLE =
  '{{ if eq .Status "firing" }}{{ .CommonLabels.severity | toUpper }}{{ else }}OVER{{ end }} {{ .GroupLabels.alertname }}';
const TEXT = `{{ range .Alerts.Firing }}{{ .Annotations.summary }}
since {{ .StartsAt.UTC.Format "2006-01-02 15:04:05" }} UTC
{{ .Annotations.runbook_url }}
{{ end }}{{ range .Alerts.Resolved }}over: {{ .Annotations.summary }}
{{ end }}`;

/**
 * @typedef {object} ReceiverType
 * @property {Record<string, Check>} needed Its fields.
 * @property {Record<string, Check>} [together] Fields that it has all or none of.
 * @property {string} key Where Alertmanager has it.
 * @property {(fields: Record<string, unknown>) => object} config What Alertmanager has there.
 */

/** @type {Record<string, ReceiverType>} */
export const RECEIVER_TYPES = {
  webhook: {
    needed: { url: webUrl },
    key: "webhook_configs",
    config: ({ url }) => ({ url, send_resolved: true }),
  },
  telegram: {
    needed: { bot_token: botToken, chat_id: chatId },
    key: "telegram_configs",
    config: ({ bot_token, chat_id }) => ({
      bot_token,
      chat_id,
      message: `${TITLE}\n${TEXT}`,
      // Texts are no markup, whatever is in them.
      parse_mode: "",
      send_resolved: true,
    }),
  },
  slack: {
    needed: { url: webUrl },
    key: "slack_configs",
    config: ({ url }) => ({
      api_url: url,
      title: TITLE,
      title_link: "",
      text: TEXT,
      fallback: TITLE,
      send_resolved: true,
    }),
  },
  mail: {
    needed: { to: address, from: address, server: hostAndPort },
    together: { user: text, password: text },
    key: "email_configs",
    config: ({ to, from, server, user, password }) => ({
      to,
      from,
      smarthost: server,
      ...(user !== undefined && { auth_username: user, auth_password: password }),
      headers: { Subject: TITLE },
      text: TEXT,
      html: "",
      send_resolved: true,
    }),
  },
};

/**
 * Everything that is wrong with the content of a receivers' file, one sentence each.
 * @param {unknown} content
 * @returns {string[]}
 */
export function violationsOf(content) {
  if (!isObject(content)) return ["must be an object"];
  const { receivers, critical, warning, heartbeat, ...unknown } = content;
  return [
    ...Object.keys(unknown).map((name) => `${name}: is not known here`),
    ...receiversViolations(receivers, [critical, warning].flat()),
    ...namesViolations("critical", critical, receivers),
    ...namesViolations("warning", warning, receivers),
    ...heartbeatViolations(heartbeat),
  ];
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** @param {unknown} receivers @param {readonly unknown[]} told */
function receiversViolations(receivers, told) {
  if (!isObject(receivers)) return ["receivers: must be an object of receivers by name"];
  return Object.entries(receivers).flatMap(([name, receiver]) => [
    ...receiverViolations(receiver).map((problem) => `receivers.${name}${problem}`),
    ...(told.includes(name) ? [] : [`receivers.${name}: is in neither critical nor warning`]),
  ]);
}

/** @param {unknown} receiver */
function receiverViolations(receiver) {
  if (!isObject(receiver)) return [": must be an object with a type"];
  const { type, ...fields } = receiver;
  const known = typeof type === "string" && Object.hasOwn(RECEIVER_TYPES, type);
  const kind = known ? RECEIVER_TYPES[type] : undefined;
  if (kind === undefined) return [`.type: must be one of ${Object.keys(RECEIVER_TYPES).join(", ")}`];
  const together = kind.together ?? {};
  const checks = Object.keys(together).some((name) => Object.hasOwn(fields, name))
    ? { ...kind.needed, ...together }
    : kind.needed;
  return [
    ...Object.keys(fields)
      .filter((name) => !Object.hasOwn(checks, name))
      .map((name) => `.${name}: is not known for ${String(type)}`),
    ...Object.entries(checks).flatMap(([name, check]) => {
      const problem = Object.hasOwn(fields, name) ? check(fields[name]) : "is missing";
      return problem === undefined ? [] : [`.${name}: ${problem}`];
    }),
  ];
}

/** @param {string} severity @param {unknown} names @param {unknown} receivers */
function namesViolations(severity, names, receivers) {
  if (!Array.isArray(names)) return [`${severity}: must be a list of receivers' names`];
  return names
    .filter((name) => !isObject(receivers) || typeof name !== "string" || !Object.hasOwn(receivers, name))
    .map((name) => `${severity}: there is no receiver ${JSON.stringify(name)}`);
}

/** @param {unknown} heartbeat */
function heartbeatViolations(heartbeat) {
  if (heartbeat === null) return [];
  if (!isObject(heartbeat)) return ["heartbeat: must be an object with a url, or null"];
  const { url, ...unknown } = heartbeat;
  const problem = webUrl(url);
  return [
    ...Object.keys(unknown).map((name) => `heartbeat.${name}: is not known here`),
    ...(problem === undefined ? [] : [`heartbeat.url: ${problem}`]),
  ];
}
