import { createKeys } from "@quantum/contract";
import { simulationViolations } from "@quantum/issuer";
import {
  choice,
  commonVariables,
  flag,
  integer,
  logLevel,
  number,
  optionalText,
  port,
  redisVariables,
  simulationVariables,
  symbols,
} from "@quantum/service-kit";
import { serviceOf } from "@quantum/topology";
import { z } from "zod";
import type { Rules } from "./decide.ts";
import type { GovernorOptions } from "./handler.ts";
import { decimal, limitUnits } from "./units.ts";

const { port: PORT, envPrefixes: ownPrefixes } = serviceOf("governor");
const { streams } = createKeys();

/** Every service finds the streams by these names, so another one would only be read by nobody. */
const streamName = (meaning: string, name: string) => choice(meaning, [name], name);

/** A day's limit in 1e-8, from a decimal. */
const dayLimit = (meaning: string, fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((value, context) => {
      const amount = decimal(value);
      const units = amount && limitUnits(amount);
      if (units !== undefined) return units;
      context.addIssue({
        code: "custom",
        message: "a decimal from 0 is needed",
      });
      return z.NEVER;
    })
    .describe(`${meaning} for each symbol; 0 refuses every plan [${fallback}]`);

const schema = z.object({
  ...redisVariables,
  ...commonVariables,
  METRICS_PORT: port("port of /healthz, /readyz and /metrics", PORT),
  GOV_LOG_LEVEL: logLevel(),
  SYMBOLS: symbols(
    "symbols that metrics tell apart; every other is labelled `other`",
    "BTCUSDT,ETHUSDT,SOLUSDT",
  ),
  GOV_MAX_EXEC_PER_HOUR: integer(
    "executions and open permits in an hour for each symbol; 0 refuses every plan",
    3,
  ),
  GOV_MAX_EXEC_PER_5MIN: integer(
    "executions and open permits in 5 minutes for each symbol; 0 refuses every plan",
    2,
  ),
  GOV_MAX_REDUCE_NOTIONAL_PER_DAY_USD: dayLimit("dollars closed in a UTC day", "5000"),
  GOV_MAX_REDUCE_QTY_PER_DAY: dayLimit(
    "coins closed in a UTC day, in force only where their price is unknown,",
    "0.02",
  ),
  GOV_KILL_SCORE_CRITICAL: number("from this kill score on only plans that close are let through", 0.8, {
    max: 1,
  }),
  GOV_ENABLE_AUTO_DISARM: flag("disarm everything by the two rules below", true),
  GOV_DISARM_ON_ERROR_COUNT: integer(
    "disarm after so many errors (evaluation errors, orders that failed) of one replica within an hour; errors of one symbol alone hold only that symbol",
    5,
    { min: 1 },
  ),
  GOV_DISARM_ON_BURST_BREACH: flag(
    "disarm when a plan comes after GOV_MAX_EXEC_PER_5MIN executions; open permits deny, but do not disarm",
    true,
  ),
  STREAM_PLANS: streamName("stream of plans", streams.plan),
  STREAM_RESULTS: streamName("stream of results", streams.result),
  STREAM_EVENTS: streamName("stream of disarms", streams.governorEvents),
  BINANCE_BASE_URL: optionalText("the venue; needed only to allow the simulation below"),
  ...simulationVariables("GOV_SIM"),
});

export type Config = z.output<typeof schema>;

export const configSource = {
  schema,
  ownPrefixes,
  // The Python governor asked the exchange for positions; this one reads P3.3's snapshots.
  retired: ["BINANCE_TESTNET_API_KEY", "BINANCE_TESTNET_API_SECRET"],
  relations: (config: Config) => simulationViolations(config, "GOV_"),
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
