/** The environment of a service at the simulated exchange. */
import { keyVariablesOf } from "./keys.ts";
import type { Row } from "./row.ts";

export type Environment = Readonly<Record<string, string>>;

/** What exchange-sim takes for its account; no other venue knows them. */
export const SIMULATED_ACCOUNT = {
  BINANCE_TESTNET_API_KEY: "sim-key",
  BINANCE_TESTNET_API_SECRET: "sim-secret",
} as const satisfies Environment;

/** Where a run takes place. */
export interface Place {
  redisUrl: string;
  /** As in PARTITIONS. Default 1. */
  partitions?: number;
  /** Of exchange-sim; undefined where nothing is to be traded. */
  venueUrl: string | undefined;
  symbols: readonly string[];
  /** Has the keys of issuers and operators: packages/harness makes them for a run. Undefined where nothing is to be signed. */
  keysFolder: string | undefined;
  /** For the local state of this process: the same after a restart, and no other's. Its parent exists. */
  stateFolder: string;
}

/** Everything that the service needs to run there, but for its port; built from nothing, so no shell counts. */
export function demonstrationOf(
  row: Row,
  { redisUrl, partitions = 1, venueUrl, symbols, keysFolder, stateFolder }: Place,
): Environment {
  return {
    ...(row.redis !== "none" && { REDIS_URL: redisUrl }),
    ...(row.redis !== "none" && partitions > 1 && { PARTITIONS: String(partitions) }),
    ...(row.standIn === undefined && venueUrl !== undefined && { BINANCE_BASE_URL: venueUrl }),
    ...(row.needsVenue && SIMULATED_ACCOUNT),
    ...Object.fromEntries(row.symbolVariables.map((variable) => [variable, symbols.join()])),
    ...(keysFolder !== undefined &&
      Object.fromEntries(keyVariablesOf(row).map(([variable, file]) => [variable, `${keysFolder}/${file}`]))),
    ...(row.stateVariable !== undefined && { [row.stateVariable]: stateFolder }),
    ...row.demonstration,
  };
}
