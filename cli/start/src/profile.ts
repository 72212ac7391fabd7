/**
 * The environment of every process in a run, built from scratch: of the caller's shell only the variables of traces have an
 * influence.
 */
import { join } from "node:path";
import {
  demonstrationOf,
  type Environment,
  ISSUERS,
  type Service,
  type ServiceName,
  SERVICES,
  userOf,
} from "@quantum/topology";
import type { RunRedis } from "./redis.ts";
import type { Scenario } from "./scenarios.ts";

export interface Run {
  scenario: Scenario;
  redis: RunRedis;
  exchangeUrl: string;
  /** The keys of the issuers and of an operator. */
  keysFolder: string;
  /** Takes the services' own state. */
  dir: string;
  /** The account's symbols, used for the feed and the allowlists. */
  symbols: readonly string[];
  seed: number;
  /** Proposals per second. */
  rate: number;
  /** The feed stops after this many proposals; undefined: endless. */
  plans: number | undefined;
  proposalsFile: string | undefined;
}

/** The issuers whose permits every plan of the run needs. */
export function issuersOf({ issuers = ISSUERS }: Scenario): readonly string[] {
  return issuers;
}

export function exchangeSimEnvironment(seed: number, marketFile: string | undefined): Environment {
  return {
    SIM_SEED: String(seed),
    // A run may have any rate.
    SIM_LIMITS: "off",
    ...(marketFile === undefined ? {} : { SIM_MARKET_FILE: marketFile }),
  };
}

/** The environment of any service but exchange-sim. The port is added when the process starts. */
export function environmentOf(service: Service, run: Run): Environment {
  const { scenario, redis, exchangeUrl: venueUrl, symbols, keysFolder } = run;
  const { name } = service;
  const stateFolder = join(run.dir, `${name}.state`);
  const row =
    name === "governor" && scenario.governorDefaults === true ? { ...service, demonstration: {} } : service;
  return {
    ...tracingOf(process.env),
    ...demonstrationOf(row, {
      redisUrl: redis.urlOf(userOf(row)),
      partitions: redis.partitions,
      venueUrl,
      symbols,
      keysFolder,
      stateFolder,
    }),
    ...(service.issuer && { [`${service.envPrefixes[0]}SIM_SEED`]: String(run.seed) }),
    ...OF_THIS_RUN[name]?.(run),
    ...scenario.environment?.[name],
  };
}

/** `OTEL_*`, so that a run's plans can be looked at in a tracing system. Each service keeps its own name there. */
export function tracingOf(environment: Readonly<Record<string, string | undefined>>): Environment {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      name.startsWith("OTEL_") && name !== "OTEL_SERVICE_NAME" && value !== undefined ? [[name, value]] : [],
    ),
  );
}

const OF_THIS_RUN: Partial<Record<ServiceName, (run: Run) => Environment>> = {
  "apply-layer": ({ proposalsFile, scenario }): Environment => ({
    APPLY_REQUIRED_PERMITS: issuersOf(scenario).join(),
    // Proposals from a file are as old as the file.
    ...(proposalsFile !== undefined && { APPLY_PROPOSAL_MAX_AGE_SEC: "0" }),
  }),
  executor: ({ scenario }) => ({ EXECUTOR_REQUIRED_ISSUERS: issuersOf(scenario).join() }),
  "harvest-feed": ({ rate, seed, plans, scenario, proposalsFile }) => ({
    FEED_RATE: String(rate),
    FEED_SEED: String(seed),
    FEED_MAX: String(plans ?? 0),
    FEED_IN_FLIGHT_PER_SYMBOL: String(scenario.inFlightPerSymbol ?? 1),
    ...(proposalsFile === undefined ? {} : { FEED_FILE: proposalsFile }),
  }),
};

/** Differences from the services' defaults in every scenario, as printed by `--help`. */
export function describeProfile(): string {
  return SERVICES.flatMap(({ name, demonstration }) => {
    const variables = Object.entries(demonstration).map(([variable, value]) => `${variable}=${value}`);
    return variables.length === 0 ? [] : [`  ${name}: ${variables.join(" ")}`];
  }).join("\n");
}
