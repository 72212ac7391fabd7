/** The variables of an issuer without variables of its own. */
import { parseVenue } from "@quantum/exchange";
import {
  commonVariables,
  type ConfigSource,
  isActive,
  logLevel,
  optionalText,
  port,
  redisVariables,
  simulationOf,
  simulationVariables,
  symbols,
} from "@quantum/service-kit";
import type { IssuerService } from "@quantum/topology";
import { z } from "zod";

/** Variables are named after the row's first prefix: `TOY_LOG_LEVEL`, `TOY_SIM_DELAY_MS`. */
export function issuerConfig({
  port: fixed,
  portVariable,
  envPrefixes,
}: IssuerService): ConfigSource<z.ZodObject> {
  const [prefix = ""] = envPrefixes;
  return {
    schema: z.object({
      ...redisVariables,
      ...commonVariables,
      [portVariable]: port("port of /healthz, /readyz and /metrics", fixed),
      [`${prefix}LOG_LEVEL`]: logLevel(),
      SYMBOLS: symbols(
        "symbols with a metric label of their own; all others are labelled `other`",
        "BTCUSDT",
      ),
      BINANCE_BASE_URL: optionalText("the venue; needed only for the simulation variables below"),
      ...simulationVariables(`${prefix}SIM`),
    }),
    ownPrefixes: envPrefixes,
    relations: (config) => simulationViolations(config, prefix),
  };
}

/** Simulated answers require a simulated exchange to be configured. */
export function simulationViolations(config: Readonly<Record<string, unknown>>, prefix: string): string[] {
  const baseUrl = config["BINANCE_BASE_URL"] as string | undefined;
  let simulated = false;
  try {
    simulated = baseUrl !== undefined && parseVenue(baseUrl).simulated;
  } catch (error) {
    return [(error as Error).message];
  }
  if (simulated || !isActive(simulationOf(config as never, `${prefix}SIM`))) return [];
  return [
    `${prefix}SIM_* is set, but BINANCE_BASE_URL${baseUrl === undefined ? " is not" : `="${baseUrl}" is not simulated`}: ` +
      "answers are simulated only at a simulated exchange",
  ];
}
