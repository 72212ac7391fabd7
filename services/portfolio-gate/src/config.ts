import { permitTtlViolations, signingVariables, venueViolations } from "@quantum/issuer";
import {
  commonVariables,
  type ConfigSource,
  integer,
  logLevel,
  number,
  port,
  redisVariables,
  simulationVariables,
  SYMBOLS_RULE,
  symbols,
} from "@quantum/service-kit";
import { serviceOf } from "@quantum/topology";
import { z } from "zod";
import type { Rules } from "./decide.ts";

const service = serviceOf("portfolio-gate");
const { port: PORT, envPrefixes: ownPrefixes } = service;

/** The books remember executions for at least an hour. */
const COOLDOWN_MAX_SEC = 3_600;

const schema = z.object({
  ...redisVariables,
  ...commonVariables,
  APPLY_ALLOWLIST: symbols("the apply-layer's allowlist", "BTCUSDT"),
  P26_ALLOWLIST: z
    .union([z.undefined(), symbols("", "BTCUSDT")], `must be a comma-separated list of ${SYMBOLS_RULE}`)
    .describe(
      "symbols of the portfolio: those of P33_ALLOWLIST, since P3.3 writes snapshots of them [APPLY_ALLOWLIST]",
    ),
  ...signingVariables("P26_SIGNING_KEY_FILE"),
  P26_SIGMA_REF: number(
    "volatility that counts as 1: a proposal's sigma is divided by it, and 0.05 is cold, 0.35 as hot as can be",
    0.05,
    { min: 1e-6 },
  ),
  P26_STRESS_FULLCLOSE_MIN: number(
    "stress of the portfolio below which full closes are capped: to 75 % of the position from a kill score of P26_KS_HARD on, else to 50 %",
    0.55,
    { max: 1 },
  ),
  P26_STRESS_RISKOFF: number("stress of the portfolio from which nothing is capped", 0.8, { max: 1 }),
  P26_KS_HARD: number("kill score from which full closes are capped less", 0.85, { max: 1 }),
  P26_COOLDOWN_SEC: integer(
    "how long after an execution closes of its symbol are one step smaller (100, 75, 50, 25 %, denied), in s",
    60,
    { max: COOLDOWN_MAX_SEC },
  ),
  P26_PERMIT_TTL: integer("TTL of a permit or denial, in s", 60, { min: 1 }),
  P26_METRICS_PORT: port("port of /healthz, /readyz and /metrics", PORT),
  P26_LOG_LEVEL: logLevel(),
  ...simulationVariables("P26_SIM"),
});

export type Config = z.output<typeof schema>;

export const configSource = {
  schema,
  ownPrefixes,
  // These are fixed here: the range of the heat and the weights of the stress. Plans wake this service, so it does not
  // poll.
  retired: ["P26_H_MIN", "P26_H_MAX", "P26_A", "P26_B", "P26_C", "P26_POLL_INTERVAL"],
  relations: (config) => [
    ...(config.P26_STRESS_FULLCLOSE_MIN <= config.P26_STRESS_RISKOFF
      ? []
      : [
          `P26_STRESS_FULLCLOSE_MIN=${config.P26_STRESS_FULLCLOSE_MIN} exceeds P26_STRESS_RISKOFF=${config.P26_STRESS_RISKOFF}: ` +
            "a portfolio would be cold and under high stress at once",
        ]),
    ...permitTtlViolations("P26_PERMIT_TTL", config.P26_PERMIT_TTL),
    ...venueViolations(config, service),
  ],
} satisfies ConfigSource<typeof schema>;

/** The symbols of the portfolio. */
export function allowlistOf(config: Config): readonly string[] {
  return [...new Set(config.P26_ALLOWLIST ?? config.APPLY_ALLOWLIST)];
}

export function rulesOf(config: Config): Rules {
  return {
    allowlist: new Set(allowlistOf(config)),
    coldBelow: config.P26_STRESS_FULLCLOSE_MIN,
    riskOffFrom: config.P26_STRESS_RISKOFF,
    hardKillScore: config.P26_KS_HARD,
  };
}
