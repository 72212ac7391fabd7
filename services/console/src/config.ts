/** Variables of the console. */
import { isIP } from "node:net";
import {
  commonVariables,
  list,
  logLevel,
  optionalText,
  port,
  redisUrlVariable,
  redisVariables,
  withPassword,
} from "@quantum/service-kit";
import { serviceOf } from "@quantum/topology";
import { z } from "zod";

const { port: PORT, envPrefixes: ownPrefixes } = serviceOf("console");

const ORIGIN = /^https?:\/\/\S+$/;
const ORIGINS_RULE = "origins such as https://permits.example.com, without a path";
const PROXIES_RULE = "IP addresses";

/** As browsers write it: in lower case, and without the port that goes without saying. */
function isOrigin(text: string): boolean {
  return ORIGIN.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

/** Headers that mean something else, and that anybody may send. */
const NO_USER_HEADERS = new Set([
  "authorization",
  "cookie",
  "forwarded",
  "host",
  "origin",
  "referer",
  "user-agent",
]);

const SERVICE_URL = /^https?:\/\/[^\s/?#@]+$/;
const SERVICE_URL_RULE = "URLs such as http://governor:8044";

const schema = z.object({
  ...redisVariables,
  ...commonVariables,
  CONSOLE_PORT: port("port of the page, its API, /healthz, /readyz and /metrics", PORT),
  CONSOLE_LOG_LEVEL: logLevel(),
  CONSOLE_USERS_FILE: optionalText(
    "file of the users, mode 0600, followed while the console runs; `permitctl console user add` writes it",
  ),
  CONSOLE_OPERATOR_REDIS_URL: redisUrlVariable(
    "redis://operator@host:port/db, under which changes are made; unset: the console changes nothing",
  ),
  CONSOLE_OPERATOR_REDIS_PASSWORD_FILE: optionalText(
    "file with the password of the user in CONSOLE_OPERATOR_REDIS_URL",
  ),
  CONSOLE_SERVICE_URLS: list(
    "addresses of services that cannot be found by their names, such as those in containers",
    "",
    SERVICE_URL,
    SERVICE_URL_RULE,
  ),
  CONSOLE_ORIGINS: list(
    "origins under which browsers reach the console, exactly; unset: http://127.0.0.1:PORT and http://localhost:PORT",
    "",
    ORIGIN,
    ORIGINS_RULE,
  ).refine((origins) => origins.every(isOrigin), `must be a comma-separated list of ${ORIGINS_RULE}`),
  CONSOLE_PROXIES: list(
    "addresses of the reverse proxies whose headers are believed",
    "",
    /^[\da-fA-F.:]+$/,
    PROXIES_RULE,
  ).refine(
    (addresses) => addresses.every((address) => isIP(address) !== 0),
    `must be a comma-separated list of ${PROXIES_RULE}`,
  ),
  CONSOLE_PROXY_USER_HEADER: z
    .string()
    .toLowerCase()
    .refine(
      (name) => /^[a-z0-9-]+$/.test(name) && !NO_USER_HEADERS.has(name) && !name.startsWith("x-forwarded-"),
      "must be the name of a header of its own, such as X-Console-User",
    )
    .optional()
    .describe("header in which a proxy of CONSOLE_PROXIES names the user, who must be in CONSOLE_USERS_FILE"),
});

export type ConsoleConfig = z.output<typeof schema>;

export const configSource = {
  schema,
  ownPrefixes,
  relations: (config: ConsoleConfig): string[] => {
    const violations: string[] = [];
    if (config.CONSOLE_PROXY_USER_HEADER !== undefined) {
      if (config.CONSOLE_PROXIES.length === 0)
        violations.push("CONSOLE_PROXY_USER_HEADER: CONSOLE_PROXIES names nobody who may send it");
      if (config.CONSOLE_USERS_FILE === undefined)
        violations.push(
          "CONSOLE_PROXY_USER_HEADER: CONSOLE_USERS_FILE is needed, which gives the users their roles",
        );
    }
    if (
      config.CONSOLE_OPERATOR_REDIS_PASSWORD_FILE !== undefined &&
      config.CONSOLE_OPERATOR_REDIS_URL === undefined
    )
      violations.push(
        "CONSOLE_OPERATOR_REDIS_PASSWORD_FILE: CONSOLE_OPERATOR_REDIS_URL must name the user, without a password",
      );
    return violations;
  },
};

/** Undefined: the console changes nothing. Throws a ConfigError. */
export function operatorUrl(config: ConsoleConfig): string | undefined {
  const { CONSOLE_OPERATOR_REDIS_URL: url, CONSOLE_OPERATOR_REDIS_PASSWORD_FILE: file } = config;
  if (url === undefined) return undefined;
  return withPassword(["CONSOLE_OPERATOR_REDIS_URL", url], ["CONSOLE_OPERATOR_REDIS_PASSWORD_FILE", file]);
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/;

/** The addresses by which browsers reach the console. @param url where it listens */
export function originsOf({ CONSOLE_ORIGINS: given }: ConsoleConfig, url: string): readonly string[] {
  const { port: bound } = new URL(url);
  // Browsers leave out the port that goes without saying.
  return given.length > 0
    ? given
    : ["127.0.0.1", "localhost"].map((host) => new URL(`http://${host}:${bound}`).origin);
}

/**
 * Whether only programs of this machine reach the console, as far as the configuration tells: a proxy would bring others,
 * and an origin with another name would, too.
 */
export function isLocal(config: ConsoleConfig, origins: readonly string[]): boolean {
  return (
    LOOPBACK.test(config.HTTP_HOST) &&
    config.CONSOLE_PROXIES.length === 0 &&
    origins.every((origin) => LOOPBACK.test(new URL(origin).hostname))
  );
}
