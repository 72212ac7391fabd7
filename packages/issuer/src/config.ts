/** The variables of an issuer without variables of its own. */
import { parseVenue } from "@quantum/exchange";
import {
  account,
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
import { type IssuerService, signingKeyVariable } from "@quantum/topology";
import { z } from "zod";

/** Variables are named after the row's first prefix: `TOY_LOG_LEVEL`, `TOY_SIM_DELAY_MS`. */
export function issuerConfig(service: IssuerService): ConfigSource<z.ZodObject> {
  const { port: fixed, portVariable, envPrefixes } = service;
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
      ...signingVariables(signingKeyVariable(service)),
      ...simulationVariables(`${prefix}SIM`),
    }),
    ownPrefixes: envPrefixes,
    relations: (config) => venueViolations(config, service),
  };
}

/** What an issuer needs to sign. @param variable of its private key's file: `signingKeyVariable` of its row */
export function signingVariables<Variable extends string>(variable: Variable) {
  const file = optionalText(
    "file with the private key that signs permits: PEM, PKCS #8, Ed25519, no access for others; without it permits are unsigned",
  );
  return {
    [variable]: file,
    QUANTUM_ACCOUNT: account(),
    BINANCE_BASE_URL: optionalText(
      "the venue, which signed permits name: required with a private key, and for simulations",
    ),
  } as { [Name in Variable | "BINANCE_BASE_URL"]: typeof file } & {
    QUANTUM_ACCOUNT: ReturnType<typeof account>;
  };
}

/** How long a plan waits for its permits (the default of `APPLY_PERMIT_WAIT_MS`); its handover takes a moment longer. */
const WAIT_BUDGET_SEC = 1.2;
const HANDOVER_MARGIN_SEC = 1;

/** A permit must outlive the wait for the others. */
export function permitTtlViolations(variable: string, sec: number): string[] {
  const min = WAIT_BUDGET_SEC + HANDOVER_MARGIN_SEC;
  if (sec > min) return [];
  return [
    `${variable}=${sec} must exceed ${min} s: a permit could expire while its plan still waits for the other issuer`,
  ];
}

/** A signed permit names the venue, and simulated answers require a simulated one. */
export function venueViolations(config: Readonly<Record<string, unknown>>, service: IssuerService): string[] {
  const [prefix = ""] = service.envPrefixes;
  const key = signingKeyVariable(service);
  const baseUrl = config["BINANCE_BASE_URL"] as string | undefined;
  const isSimulation = isActive(simulationOf(config as never, `${prefix}SIM`));
  if (baseUrl === undefined) {
    return [
      ...(config[key] === undefined
        ? []
        : [`${key} is set, but BINANCE_BASE_URL is not: a signed permit names the venue`]),
      ...(isSimulation
        ? [
            `${prefix}SIM_* is set, but BINANCE_BASE_URL is not: answers are simulated only at a simulated exchange`,
          ]
        : []),
    ];
  }
  try {
    if (parseVenue(baseUrl).simulated || !isSimulation) return [];
  } catch (error) {
    return [(error as Error).message];
  }
  return [
    `${prefix}SIM_* is set, but BINANCE_BASE_URL="${baseUrl}" is not simulated: answers are simulated only at a simulated exchange`,
  ];
}
