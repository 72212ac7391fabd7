/** Every variable of every service, from the schemas that read them. */
import {
  commonVariables,
  ConfigError,
  type ConfigSource,
  readConfig,
  redisVariables,
} from "@quantum/service-kit";
import { type ServiceName, serviceOf, SERVICES, SIMULATED_ACCOUNT } from "@quantum/topology";
import type { z } from "zod";
import { code, codes, page, table } from "./markdown.ts";

/** Each has a schema of its own; here only what they have in common counts. */
const SOURCES = await Promise.all(
  SERVICES.map(async ({ name }) => {
    const { configSource } = (await import(`../../services/${name}/src/config.ts`)) as {
      configSource: ConfigSource<z.ZodObject>;
    };
    return [name, configSource] as const;
  }),
);

/** What has no default, at a simulated venue. */
const REQUIRED = {
  BINANCE_BASE_URL: `http://127.0.0.1:${serviceOf("exchange-sim").port}`,
  EXECUTOR_STATE_DIR: "/var/lib/quantum-executor",
  ...SIMULATED_ACCOUNT,
};

/** Environments that break a rule between variables; the document shows what the service says to each. */
const BREAKING: Partial<Record<ServiceName, readonly Readonly<Record<string, string>>[]>> = {
  "apply-layer": [
    { K_BLOCK_WARNING: "0.9" },
    { APPLY_PERMIT_WAIT_MS: "50" },
    { APPLY_REQUIRED_PERMITS: "governor" },
    { APPLY_REQUIRED_PERMITS: "p33,p33" },
    { APPLY_BARE_PERMITS: "p26" },
    { APPLY_BARE_PERMITS: "p33" },
    { BINANCE_BASE_URL: "https://fapi.binance.com" },
  ],
  governor: [
    { GOV_SIM_DENY_RATE: "0.5", BINANCE_BASE_URL: "" },
    { GOV_SIGNING_KEY_FILE: "governor.pem", BINANCE_BASE_URL: "" },
  ],
  "position-brain": [
    { P33_STALE_THRESHOLD_SEC: "5" },
    { P33_PERMIT_TTL: "2" },
    { BINANCE_BASE_URL: "https://fapi.binance.com" },
    { P33_SIM_DELAY_MS: "300", BINANCE_BASE_URL: "https://testnet.binancefuture.com" },
  ],
  "portfolio-gate": [
    { P26_STRESS_FULLCLOSE_MIN: "0.9" },
    { P26_PERMIT_TTL: "2" },
    { P26_SIM_DENY_RATE: "0.5", BINANCE_BASE_URL: "" },
  ],
  executor: [{ EXECUTOR_TIMEOUT_MS: "5000" }],
  console: [
    { CONSOLE_PROXY_USER_HEADER: "X-Console-User", CONSOLE_USERS_FILE: "users.json" },
    { CONSOLE_PROXY_USER_HEADER: "X-Console-User", CONSOLE_PROXIES: "192.0.2.1" },
    { CONSOLE_OPERATOR_REDIS_PASSWORD_FILE: "password" },
  ],
};

const WITHOUT_REDIS = SERVICES.filter(({ redis }) => redis === "none").map(({ name }) => name);

/** No variable that has a rule takes this. */
const NO_VALUE = "no value";

export function renderConfiguration(): string {
  return page(
    "Configuration",
    "From the environment only. A service reports everything that is wrong with it at once and does not start (exit code 2). An empty variable counts as unset. Numbers and lists are trimmed; lists are split on commas. `node services/<name>/main.mjs --help` shows the same as below.",
    "## Every service",
    variables(commonVariables),
    `## Every service on Redis (all but ${WITHOUT_REDIS.join(" and ")})`,
    variables(redisVariables),
    ...SOURCES.flatMap(([name, source]) => service(name, source)),
  );
}

function service(name: ServiceName, source: ConfigSource<z.ZodObject>): string[] {
  const { schema, ownPrefixes, retired = [] } = source;
  const shared = new Set(Object.keys({ ...commonVariables, ...redisVariables }));
  const own = Object.entries(schema.shape).filter(([variable]) => !shared.has(variable));
  const prefixes = codes(ownPrefixes.map((prefix) => `${prefix}*`));
  const breaking = BREAKING[name] ?? [];
  return [
    `## ${name}`,
    `An unknown ${prefixes} is taken for a misspelt one, and stops the start.${retired.length === 0 ? "" : ` Only the Python service knew ${codes(retired)}: set, they warn.`}`,
    variables(Object.fromEntries(own)),
    ...(breaking.length === 0
      ? []
      : [
          "Between variables, by example:",
          table(
            ["set", "refused with"],
            breaking.map((env) => refusal(source, env)),
          ),
        ]),
  ];
}

function variables(shape: Readonly<Record<string, unknown>>): string {
  return table(
    ["variable", "default", "meaning", "rule"],
    Object.entries(shape).map(([name, field]) => {
      const type = field as z.ZodType;
      // The convention of the service kit: a description ends with its default.
      const [, meaning = "", fallback, required] =
        /^(.*?)(?: \[([^\]]*)\]| \((required)\))?$/s.exec(type.description ?? "") ?? [];
      const shown = required ?? (fallback === undefined ? "unset" : code(fallback));
      return [code(name), shown, meaning, ruleOf(type)];
    }),
  );
}

/** The rule that the service reports for an invalid value. */
function ruleOf(type: z.ZodType): string {
  const message = type.safeParse(NO_VALUE).error?.issues[0]?.message ?? "";
  return message.replace(/^must be /, "").replace(`to ${Number.MAX_SAFE_INTEGER}`, "up");
}

function refusal(source: ConfigSource<z.ZodObject>, env: Readonly<Record<string, string>>): [string, string] {
  const set = Object.entries(env).map(([name, value]) =>
    value === "" ? `no ${code(name)}` : code(`${name}=${value}`),
  );
  try {
    readConfig(source, { ...REQUIRED, ...env });
  } catch (error) {
    if (error instanceof ConfigError) return [set.join(", "), error.violations.join("; ")];
    throw error;
  }
  throw new Error(`${JSON.stringify(env)} breaks no rule any more`);
}
