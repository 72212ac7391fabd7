import { EXECUTE_TTL_MAX_MS } from "@quantum/contract";
import { parseVenue } from "@quantum/exchange";
import { permitTtlViolations, signingVariables } from "@quantum/issuer";
import {
  commonVariables,
  type ConfigSource,
  egress,
  flag,
  integer,
  isActive,
  logLevel,
  number,
  port,
  redisVariables,
  simulationOf,
  simulationVariables,
  SYMBOLS_RULE,
  symbols,
  text,
} from "@quantum/service-kit";
import { serviceOf } from "@quantum/topology";
import { z } from "zod";

const { port: PORT, envPrefixes: ownPrefixes } = serviceOf("position-brain");

const MS_PER_SEC = 1000;
/** Added to permit and execute TTL, so that a result that waits in a queue still finds its reservation. */
const RESERVE_MARGIN_MS = 10_000;

const symbolList = symbols("", "BTCUSDT");

const schema = z.object({
  ...commonVariables,
  ...redisVariables,
  APPLY_ALLOWLIST: symbols("the apply-layer's allowlist", "BTCUSDT"),
  P33_ALLOWLIST: z
    .union([z.undefined(), symbolList], `must be a comma-separated list of ${SYMBOLS_RULE}`)
    .describe("symbols whose positions may be closed [APPLY_ALLOWLIST]"),
  P33_POLL_SEC: number(
    "seconds between two refreshes of all positions while the exchange's stream does not keep them",
    5,
    { min: 0.1 },
  ),
  P33_AUDIT_SEC: number("seconds between two refreshes of all positions while it does", 60, { min: 1 }),
  P33_DISARM_ON_FORCED_CLOSE: flag(
    "disarm the pipeline when the exchange liquidates or deleverages (ADL) a position; it then closes nothing more until an operator arms it",
    false,
  ),
  P33_STALE_THRESHOLD_SEC: number("age from which a snapshot is stale and P3.3 denies, in s", 10),
  P33_COOLDOWN_SEC: number("pause after one of our executions on the symbol, in s", 15),
  P33_QTY_TOLERANCE_PCT: number(
    "mismatch of exchange and ledger that is tolerated, in percent of the position",
    1,
    { max: 100 },
  ),
  P33_PERMIT_TTL: integer("TTL of a permit or denial, in s", 60, { min: 1 }),
  P33_METRICS_PORT: port("port of /healthz, /readyz and /metrics", PORT),
  P33_LOG_LEVEL: logLevel(),
  ...signingVariables("P33_SIGNING_KEY_FILE"),
  EXCHANGE_EGRESS: egress(),
  BINANCE_BASE_URL: text("the venue: an exchange simulator or a Binance testnet, never production"),
  BINANCE_TESTNET_API_KEY: text("the account's key"),
  BINANCE_TESTNET_API_SECRET: text("the account's secret"),
  ...simulationVariables("P33_SIM"),
});

export type Config = z.output<typeof schema>;

export const configSource = {
  schema,
  ownPrefixes,
  relations: (config) => [
    ...(config.P33_STALE_THRESHOLD_SEC > config.P33_POLL_SEC
      ? []
      : [
          `P33_STALE_THRESHOLD_SEC=${config.P33_STALE_THRESHOLD_SEC} must exceed P33_POLL_SEC=${config.P33_POLL_SEC}: ` +
            "every snapshot would be stale before the next one",
        ]),
    ...permitTtlViolations("P33_PERMIT_TTL", config.P33_PERMIT_TTL),
    ...venueViolations(config),
  ],
} satisfies ConfigSource<typeof schema>;

function venueViolations(config: Config): string[] {
  try {
    const { simulated } = parseVenue(config.BINANCE_BASE_URL);
    if (simulated || !isActive(simulationOf(config, "P33_SIM"))) return [];
    return ["P33_SIM_*: simulated delays, denials and drops are for a simulated exchange only"];
  } catch (error) {
    return [(error as Error).message];
  }
}

export function allowlistOf(config: Config): ReadonlySet<string> {
  return new Set(config.P33_ALLOWLIST ?? config.APPLY_ALLOWLIST);
}

/** When a reservation without a result expires: after its order can no longer be executed. */
export function reserveTtlMs(config: Config): number {
  return config.P33_PERMIT_TTL * MS_PER_SEC + EXECUTE_TTL_MAX_MS + RESERVE_MARGIN_MS;
}

/** The exchange's stream is pinged every 3 s. */
const SIGN_OF_LIFE_MS = 3_500;
/** After two pings without an answer. */
const SILENT_MS = 7_000;
/** To notice that it is silent, and to read the positions by REST. */
const READ_AGAIN_MS = 3_000;

/**
 * How long the exchange's stream may be silent before the positions are read by REST, so that no snapshot gets stale.
 * 0 if its signs of life come too seldom for the threshold: then the positions are always read by REST.
 */
export function quietMs(config: Pick<Config, "P33_STALE_THRESHOLD_SEC">): number {
  const leftMs = config.P33_STALE_THRESHOLD_SEC * MS_PER_SEC - READ_AGAIN_MS;
  return leftMs < SIGN_OF_LIFE_MS ? 0 : Math.min(leftMs, SILENT_MS);
}
