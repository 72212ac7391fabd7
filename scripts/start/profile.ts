/** The environment of every process of a run: built from scratch, so that nothing of the caller's shell counts. */
import type { Scenario } from "./scenarios.ts";
import { type Environment, SERVICES, type ServiceName } from "./services.ts";

/** What exchange-sim takes for its account; no other venue knows them. */
const SIMULATED_KEY: Environment = {
  BINANCE_TESTNET_API_KEY: "sim-key",
  BINANCE_TESTNET_API_SECRET: "sim-secret",
};

/** Dollars or coins: more than a run closes. */
const HIGH_LIMIT = "80000000";

const HIGH_LIMITS: Environment = {
  GOV_MAX_EXEC_PER_HOUR: "1000000",
  GOV_MAX_EXEC_PER_5MIN: "1000000",
  GOV_MAX_REDUCE_NOTIONAL_PER_DAY_USD: HIGH_LIMIT,
  GOV_MAX_REDUCE_QTY_PER_DAY: HIGH_LIMIT,
};

/** What differs from the services' defaults in every scenario; `--help` shows it. */
export const PROFILE: Partial<Record<ServiceName, Environment>> = {
  governor: HIGH_LIMITS,
  "position-brain": { P33_COOLDOWN_SEC: "0" },
  "apply-layer": { APPLY_MODE: "paper" },
  // Evidence is to come within a run; the simulator does not lag.
  executor: { EXECUTOR_ABSENCE_SEC: "3" },
};

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

/** Of the services that need Redis and the venue. Ports are added where the processes are started. */
export function environments(run: Run): Record<Exclude<ServiceName, "exchange-sim">, Environment> {
  const { scenario, redisUrl, exchangeUrl } = run;
  const symbols = run.symbols.join();
  const seed = String(run.seed);
  const base = { REDIS_URL: redisUrl, BINANCE_BASE_URL: exchangeUrl };
  const replay = run.proposalsFile !== undefined;
  const of = (name: ServiceName, own: Environment): Environment => ({
    ...base,
    ...own,
    ...(name === "governor" && scenario.governorDefaults ? {} : PROFILE[name]),
    ...scenario.environment?.[name],
  });
  return {
    governor: of("governor", { SYMBOLS: symbols, GOV_SIM_SEED: seed }),
    "position-brain": of("position-brain", {
      ...SIMULATED_KEY,
      P33_ALLOWLIST: symbols,
      P33_SIM_SEED: seed,
    }),
    executor: of("executor", SIMULATED_KEY),
    "apply-layer": of("apply-layer", {
      SYMBOLS: symbols,
      APPLY_ALLOWLIST: symbols,
      // A file's proposals are as old as the file.
      ...(replay ? { APPLY_PROPOSAL_MAX_AGE_SEC: "0" } : {}),
    }),
    "harvest-feed": {
      REDIS_URL: redisUrl,
      FEED_SYMBOLS: symbols,
      FEED_RATE: String(run.rate),
      FEED_SEED: seed,
      FEED_MAX: String(run.plans ?? 0),
      FEED_IN_FLIGHT_PER_SYMBOL: String(scenario.inFlightPerSymbol ?? 1),
      ...(run.proposalsFile === undefined ? {} : { FEED_FILE: run.proposalsFile }),
    },
  };
}

/** The profile as `--help` prints it. */
export function describeProfile(): string {
  return SERVICES.flatMap((name) => {
    const variables = Object.entries(PROFILE[name] ?? {}).map(([variable, value]) => `${variable}=${value}`);
    return variables.length === 0 ? [] : [`  ${name}: ${variables.join(" ")}`];
  }).join("\n");
}
