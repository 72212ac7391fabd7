import { createKeys, decimalOf } from "@quantum/contract";
import { signingVariables, venueViolations } from "@quantum/issuer";
import {
  choice,
  commonVariables,
  flag,
  integer,
  logLevel,
  number,
  port,
  redisVariables,
  simulationVariables,
  symbols,
} from "@quantum/service-kit";
import { serviceOf } from "@quantum/topology";
import { z } from "zod";
import type { Rules } from "./decide.ts";
import type { GovernorOptions } from "./handler.ts";
import { limitUnits } from "./units.ts";

const service = serviceOf("governor");
const { port: PORT, envPrefixes: ownPrefixes } = service;
const { streams } = createKeys();

/** Fixed, because all services use these names: a stream with another name would have no reader. */
const streamName = (meaning: string, name: string) => choice(meaning, [name], name);

/** A daily limit in 1e-8, from a decimal. */
const dayLimit = (meaning: string, fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((value, context) => {
      const amount = decimalOf(value);
      const units = amount && limitUnits(amount);
      if (units !== undefined) return units;
      context.addIssue({
        code: "custom",
        message: "must be a decimal from 0",
      });
      return z.NEVER;
    })
    .describe(`${meaning}; 0 denies every plan [${fallback}]`);

const schema = z.object({
  ...redisVariables,
  ...commonVariables,
  METRICS_PORT: port("port of /healthz, /readyz and /metrics", PORT),
  GOV_LOG_LEVEL: logLevel(),
  SYMBOLS: symbols(
    "symbols with a metric label of their own; all others are labelled `other`",
    "BTCUSDT,ETHUSDT,SOLUSDT",
  ),
  ...signingVariables("GOV_SIGNING_KEY_FILE"),
  GOV_MAX_EXEC_PER_HOUR: integer(
    "limit of executions and open permits per hour and symbol; 0 denies every plan",
    3,
  ),
  GOV_MAX_EXEC_PER_5MIN: integer(
    "limit of executions and open permits per 5 minutes and symbol; 0 denies every plan",
    2,
  ),
  GOV_MAX_REDUCE_NOTIONAL_PER_DAY_USD: dayLimit("limit of dollars closed per UTC day and symbol", "5000"),
  GOV_MAX_REDUCE_QTY_PER_DAY: dayLimit(
    "limit of coins closed per UTC day and symbol, used only if the price is unknown",
    "0.02",
  ),
  GOV_KILL_SCORE_CRITICAL: number("kill score from which only plans that close are granted", 0.8, {
    max: 1,
  }),
  GOV_ENABLE_AUTO_DISARM: flag("disarm the pipeline according to the two rules below", true),
  GOV_DISARM_ON_ERROR_COUNT: integer(
    "disarm after this many errors (evaluation errors, failed orders) that one replica sees within an hour; errors of one symbol alone hold only that symbol",
    5,
    { min: 1 },
  ),
  GOV_DISARM_ON_BURST_BREACH: flag(
    "disarm when a plan comes after GOV_MAX_EXEC_PER_5MIN executions; open permits count for the denial, but not for the disarm",
    true,
  ),
  STREAM_PLANS: streamName("stream of plans", streams.plan),
  STREAM_RESULTS: streamName("stream of results", streams.result),
  STREAM_EVENTS: streamName("stream of disarms", streams.governorEvents),
  ...simulationVariables("GOV_SIM"),
});

export type Config = z.output<typeof schema>;

export const configSource = {
  schema,
  ownPrefixes,
  // The Python governor read positions from the exchange; this one reads P3.3's snapshots.
  retired: ["BINANCE_TESTNET_API_KEY", "BINANCE_TESTNET_API_SECRET"],
  relations: (config: Config) => venueViolations(config, service),
};

export function rulesOf(config: Config): Rules {
  return {
    killScoreCritical: config.GOV_KILL_SCORE_CRITICAL,
    executionsPerHour: config.GOV_MAX_EXEC_PER_HOUR,
    executionsPer5Min: config.GOV_MAX_EXEC_PER_5MIN,
    notionalPerDay: config.GOV_MAX_REDUCE_NOTIONAL_PER_DAY_USD,
    qtyPerDay: config.GOV_MAX_REDUCE_QTY_PER_DAY,
  };
}

export function disarmOn(config: Config): GovernorOptions["disarmOn"] {
  const enabled = config.GOV_ENABLE_AUTO_DISARM;
  return {
    burstBreach: enabled && config.GOV_DISARM_ON_BURST_BREACH,
    errors: enabled ? config.GOV_DISARM_ON_ERROR_COUNT : Infinity,
  };
}
