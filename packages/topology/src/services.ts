/**
 * The services, one row each. Launcher, campaign, tests, benchmark, permitctl, units, Prometheus and documents derive
 * from this table; docker-compose.yml is compared with it by a test.
 */
import type { Row } from "./row.ts";

/** Dollars, coins or executions: more than a run closes, and about the most that the governor can count to. */
const UNLIMITED = "80000000";

const ROWS = [
  {
    name: "apply-layer",
    unit: "apply-layer",
    title: "P3 apply-layer: opens plans, waits for their permits and spends them",
    port: 8043,
    portVariable: "APPLY_METRICS_PORT",
    envPrefixes: ["APPLY_", "K_"],
    symbolVariables: ["SYMBOLS", "APPLY_ALLOWLIST"],
    group: "apply-layer",
    reads: ["proposal", "permit", "result"],
    needsVenue: false,
    redis: "durable",
    replicated: true,
    demonstration: { APPLY_MODE: "paper" },
  },
  {
    name: "governor",
    unit: "governor",
    title: "P3.2 governor: permits within the limits",
    port: 8044,
    portVariable: "METRICS_PORT",
    envPrefixes: ["GOV_"],
    symbolVariables: ["SYMBOLS"],
    group: "governor",
    reads: ["plan", "result"],
    issuer: {
      name: "governor",
      verdictField: "granted",
      permitKey: "permit",
      ttlLabel: "gov_ttl",
      carriesQuantity: false,
      required: true,
    },
    needsVenue: false,
    redis: "any",
    replicated: true,
    demonstration: {
      GOV_MAX_EXEC_PER_HOUR: UNLIMITED,
      GOV_MAX_EXEC_PER_5MIN: UNLIMITED,
      GOV_MAX_REDUCE_NOTIONAL_PER_DAY_USD: UNLIMITED,
      GOV_MAX_REDUCE_QTY_PER_DAY: UNLIMITED,
    },
  },
  {
    name: "position-brain",
    unit: "position-state-brain",
    title: "P3.3 position state brain: permits what exchange and ledger agree on",
    port: 8045,
    portVariable: "P33_METRICS_PORT",
    envPrefixes: ["P33_"],
    symbolVariables: ["P33_ALLOWLIST"],
    group: "p33",
    reads: ["plan", "result", "operatorAudit"],
    issuer: {
      name: "p33",
      verdictField: "allow",
      permitKey: "permit:p33",
      ttlLabel: "p33_ttl",
      carriesQuantity: true,
      required: true,
    },
    needsVenue: true,
    redis: "durable",
    replicated: true,
    demonstration: { P33_COOLDOWN_SEC: "0" },
  },
  {
    name: "portfolio-gate",
    unit: "portfolio-gate",
    title: "P2.6 portfolio gate: caps closes while the portfolio is calm",
    port: 8047,
    portVariable: "P26_METRICS_PORT",
    envPrefixes: ["P26_"],
    symbolVariables: ["P26_ALLOWLIST"],
    group: "p26",
    reads: ["plan", "result"],
    issuer: {
      name: "p26",
      verdictField: "allow",
      permitKey: "permit:p26",
      ttlLabel: "p26_ttl",
      carriesQuantity: false,
      required: false,
    },
    needsVenue: false,
    redis: "any",
    replicated: true,
    // So that a short run shows closes within the cooldown and after it.
    demonstration: { P26_COOLDOWN_SEC: "2" },
  },
  {
    name: "executor",
    unit: "executor",
    title: "executor: one reduce-only order a plan",
    port: 8049,
    portVariable: "EXECUTOR_METRICS_PORT",
    envPrefixes: ["EXECUTOR_"],
    symbolVariables: [],
    group: "executor",
    reads: ["execute"],
    publicKeysVariable: "EXECUTOR_ISSUER_KEYS_FILE",
    operatorKeysVariable: "EXECUTOR_OPERATOR_KEYS_FILE",
    stateVariable: "EXECUTOR_STATE_DIR",
    needsVenue: true,
    redis: "durable",
    replicated: true,
    // Evidence is to come within a run; the simulated exchange does not lag.
    demonstration: {
      EXECUTOR_MODE: "paper",
      EXECUTOR_ABSENCE_SEC: "3",
    },
  },
  {
    name: "console",
    unit: "console",
    title: "console: shows operators the pipeline in a browser, and makes their changes",
    port: 8050,
    portVariable: "CONSOLE_PORT",
    envPrefixes: ["CONSOLE_"],
    symbolVariables: [],
    // It reads as anybody may who looks; a change goes under the user `operator`.
    user: "viewer",
    reads: [],
    operatorRedisVariable: "CONSOLE_OPERATOR_REDIS_URL",
    usersVariable: "CONSOLE_USERS_FILE",
    needsVenue: false,
    redis: "any",
    // Sessions are in its memory.
    replicated: false,
    watches: true,
    demonstration: {},
  },
  {
    name: "harvest-feed",
    unit: "harvest-feed",
    title: "harvest-feed: stands in for the publisher of proposals",
    port: 8098,
    portVariable: "FEED_METRICS_PORT",
    envPrefixes: ["FEED_"],
    symbolVariables: ["FEED_SYMBOLS"],
    user: "feed",
    reads: [],
    needsVenue: false,
    redis: "any",
    replicated: false,
    standIn: { loses: "a new one would begin from the start" },
    demonstration: {},
  },
  {
    name: "exchange-sim",
    unit: "exchange-sim",
    title: "exchange-sim: stands in for the exchange",
    port: 8099,
    portVariable: "EXCHANGE_SIM_PORT",
    envPrefixes: ["SIM_", "EXCHANGE_SIM_"],
    symbolVariables: [],
    reads: [],
    needsVenue: false,
    redis: "none",
    replicated: false,
    standIn: { loses: "its positions and orders went with it" },
    demonstration: {},
  },
] as const satisfies readonly Row[];

type AnyRow = (typeof ROWS)[number];
export type ServiceName = AnyRow["name"];
/** The services that stand in for nothing. */
export type HostedName = Exclude<AnyRow, { standIn: object }>["name"];
/** Those of them that are on a plan's path, issuers that no plan needs by default included. */
export type PipelineName = Exclude<AnyRow, { standIn: object } | { watches: true }>["name"];
export type IssuerName = Extract<AnyRow, { issuer: object }>["issuer"]["name"];

export interface Service extends Row {
  readonly name: ServiceName;
}

export const SERVICES: readonly Service[] = ROWS;

/** The row of a service, with what it says as types. */
export function serviceOf<Name extends ServiceName>(name: Name): Extract<AnyRow, { name: Name }> {
  return ROWS.find((row) => row.name === name) as Extract<AnyRow, { name: Name }>;
}
