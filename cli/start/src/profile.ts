/** The environment of every process of a run: built from scratch, so that nothing of the caller's shell counts. */
import {
  demonstrationOf,
  type Environment,
  type Service,
  type ServiceName,
  SERVICES,
} from "@quantum/topology";
import type { Scenario } from "./scenarios.ts";

export interface Run {
  scenario: Scenario;
  redisUrl: string;
  exchangeUrl: string;
  /** The symbols that the account holds: the feed's, and the allowlists. */
  symbols: readonly string[];
  seed: number;
  /** Proposals a second. */
  rate: number;
  /** After so many proposals the feed stops; undefined: endless. */
  plans: number | undefined;
  proposalsFile: string | undefined;
}

export function exchangeSimEnvironment(seed: number, marketFile: string | undefined): Environment {
  return { SIM_SEED: String(seed), ...(marketFile === undefined ? {} : { SIM_MARKET_FILE: marketFile }) };
}

/** Of a service beside exchange-sim. Its port is added where the process is started. */
export function environmentOf(service: Service, run: Run): Environment {
  const { scenario, redisUrl, exchangeUrl: venueUrl, symbols } = run;
  const { name } = service;
  const row =
    name === "governor" && scenario.governorDefaults === true ? { ...service, demonstration: {} } : service;
  return {
    ...demonstrationOf(row, { redisUrl, venueUrl, symbols }),
    ...(service.issuer && { [`${service.envPrefixes[0]}SIM_SEED`]: String(run.seed) }),
    ...OF_THIS_RUN[name]?.(run),
    ...scenario.environment?.[name],
  };
}

const OF_THIS_RUN: Partial<Record<ServiceName, (run: Run) => Environment>> = {
  // A file's proposals are as old as the file.
  "apply-layer": ({ proposalsFile }): Environment =>
    proposalsFile === undefined ? {} : { APPLY_PROPOSAL_MAX_AGE_SEC: "0" },
  "harvest-feed": ({ rate, seed, plans, scenario, proposalsFile }) => ({
    FEED_RATE: String(rate),
    FEED_SEED: String(seed),
    FEED_MAX: String(plans ?? 0),
    FEED_IN_FLIGHT_PER_SYMBOL: String(scenario.inFlightPerSymbol ?? 1),
    ...(proposalsFile === undefined ? {} : { FEED_FILE: proposalsFile }),
  }),
};

/** What differs from the services' defaults in every scenario, as `--help` prints it. */
export function describeProfile(): string {
  return SERVICES.flatMap(({ name, demonstration }) => {
    const variables = Object.entries(demonstration).map(([variable, value]) => `${variable}=${value}`);
    return variables.length === 0 ? [] : [`  ${name}: ${variables.join(" ")}`];
  }).join("\n");
}
