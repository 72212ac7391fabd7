import { isAbsolute } from "node:path";
import { ISSUERS, QUANTITY_ISSUER } from "@quantum/contract";
import { parseVenue } from "@quantum/exchange";
import {
  account,
  choice,
  commonVariables,
  egress,
  integer,
  issuerNames,
  logLevel,
  optionalText,
  port,
  redisVariables,
  text,
} from "@quantum/service-kit";
import { serviceOf } from "@quantum/topology";
import { z } from "zod";

const { port: PORT, envPrefixes: ownPrefixes } = serviceOf("executor");

/** Binance's limit of a receive window. */
const RECV_WINDOW_MAX_MS = 60_000;

/** One year. */
const DRILL_MAX_DAYS = 366;

/** One hour. The symbol is blocked for this long. */
const ABSENCE_MAX_SEC = 3_600;

/** More would be a mistake: each one that fails stops all orders. */
const REPLICAS_MAX = 5;

const schema = z.object({
  ...redisVariables,
  ...commonVariables,
  EXECUTOR_MODE: choice(
    "the plans that are executed: none, those of the testnet, those of a simulated exchange",
    ["dry_run", "testnet", "paper"],
    "dry_run",
  ),
  EXECUTOR_REQUIRED_ISSUERS: issuerNames(
    "issuers without whose signed permits no order is sent",
    ISSUERS.join(),
  ),
  EXECUTOR_UNSIGNED_ISSUERS: issuerNames(
    "those of EXECUTOR_REQUIRED_ISSUERS that cannot sign, such as the Python services: their permits are believed as Redis has them",
    "",
  ),
  EXECUTOR_ISSUER_KEYS_FILE: optionalText(
    "file of the issuers' public keys, as permitctl keys writes it; needed unless EXECUTOR_UNSIGNED_ISSUERS names all issuers",
  ),
  EXECUTOR_OPERATOR_KEYS_FILE: optionalText(
    "file of the operators' public keys, as permitctl keys new --operator writes it; without it no operator's exit is obeyed",
  ),
  QUANTUM_ACCOUNT: account(),
  EXCHANGE_EGRESS: egress(),
  EXECUTOR_METRICS_PORT: port("port of /metrics, /healthz and /readyz", PORT),
  EXECUTOR_LOG_LEVEL: logLevel(),
  EXECUTOR_RECV_WINDOW_MS: integer(
    "how long after its claim the exchange may execute an order, in ms",
    5000,
    {
      min: 1,
      max: RECV_WINDOW_MAX_MS,
    },
  ),
  EXECUTOR_TIMEOUT_MS: integer("timeout of one request to the exchange, in ms", 4000, { min: 1 }),
  EXECUTOR_ABSENCE_SEC: integer(
    "how long the exchange must report an order in doubt as unknown before it counts as not placed, in s",
    60,
    { min: 1, max: ABSENCE_MAX_SEC },
  ),
  EXECUTOR_MIN_REPLICAS: integer(
    "how many of Redis's replicas must have the claim of an order before it is sent; with 0, none is asked. Operators' exits are sent without",
    0,
    { min: 0, max: REPLICAS_MAX },
  ),
  EXIT_DRILL_DAYS: integer("after how many days without a drill of operators' exit an alert is raised", 30, {
    min: 1,
    max: DRILL_MAX_DAYS,
  }),
  EXECUTOR_STATE_DIR: z
    .string("is required")
    .refine(isAbsolute, "must be an absolute path")
    .describe(
      "folder of the journal of sent orders: local, kept over restarts and releases, and no other executor's (required)",
    ),
  BINANCE_BASE_URL: text("the venue: an exchange simulator or a Binance testnet, never production"),
  BINANCE_TESTNET_API_KEY: text("the account's key"),
  BINANCE_TESTNET_API_SECRET: text("the account's secret"),
});

export type Config = z.output<typeof schema>;

export const configSource = {
  schema,
  ownPrefixes,
  relations: (config: Config) => [...timeViolations(config), ...trustViolations(config)],
};

function timeViolations({
  EXECUTOR_TIMEOUT_MS: timeoutMs,
  EXECUTOR_RECV_WINDOW_MS: windowMs,
}: Config): string[] {
  if (timeoutMs < windowMs) return [];
  return [
    `EXECUTOR_TIMEOUT_MS=${timeoutMs} must be below EXECUTOR_RECV_WINDOW_MS=${windowMs}, ` +
      "or answers that arrive in time would be missed",
  ];
}

function trustViolations(config: Config): string[] {
  const {
    EXECUTOR_MODE: mode,
    EXECUTOR_REQUIRED_ISSUERS: required,
    EXECUTOR_UNSIGNED_ISSUERS: unsigned,
  } = config;
  const named = `EXECUTOR_REQUIRED_ISSUERS=${required.join()}`;
  const broken: string[] = [];
  if (!required.includes(QUANTITY_ISSUER))
    broken.push(`${named} lacks ${QUANTITY_ISSUER}: its permit carries the side and quantity of the order`);
  if (new Set(required).size !== required.length) broken.push(`${named} names an issuer twice`);
  const strange = unsigned.filter((issuer) => !required.includes(issuer));
  if (strange.length > 0)
    broken.push(
      `EXECUTOR_UNSIGNED_ISSUERS=${unsigned.join()} names ${strange.join()}, which ${named} does not`,
    );
  const signing = required.filter((issuer) => !unsigned.includes(issuer));
  if (mode !== "dry_run" && signing.length > 0 && config.EXECUTOR_ISSUER_KEYS_FILE === undefined) {
    broken.push(
      `EXECUTOR_ISSUER_KEYS_FILE is required in EXECUTOR_MODE=${mode}, to verify the permits of ${signing.join()}; ` +
        "name issuers that cannot sign in EXECUTOR_UNSIGNED_ISSUERS",
    );
  }
  if (mode === "paper" && isRealVenue(config.BINANCE_BASE_URL)) {
    broken.push(
      `EXECUTOR_MODE=paper, but BINANCE_BASE_URL=${config.BINANCE_BASE_URL} is not a simulated exchange: testnet is its mode`,
    );
  }
  return broken;
}

/** A URL that is no venue at all has its own error. */
function isRealVenue(url: string): boolean {
  try {
    return !parseVenue(url).simulated;
  } catch {
    return false;
  }
}
