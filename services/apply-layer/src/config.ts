/** The apply-layer's variables. Their names are from docs/wire.md, "Ports and environment". */
import { EXECUTE_TTL_MAX_MS, ISSUERS, QUANTITY_ISSUER, WAIT_BUDGET_MAX_MS } from "@quantum/contract";
import { parseVenue } from "@quantum/exchange";
import {
  choice,
  commonVariables,
  type ConfigSource,
  flag,
  integer,
  issuerNames,
  logLevel,
  number,
  optionalText,
  port,
  redisVariables,
  symbols,
} from "@quantum/service-kit";
import { serviceOf } from "@quantum/topology";
import { z } from "zod";
import type { Gates } from "./decide.ts";

const { port: PORT, envPrefixes: ownPrefixes } = serviceOf("apply-layer");

const MAX_SEC = 30 * 24 * 3600;

const schema = z.object({
  ...commonVariables,
  ...redisVariables,
  APPLY_MODE: choice(
    "what a granted plan leads to: no order, an order at the testnet, an order at exchange-sim",
    ["dry_run", "testnet", "paper"],
    "dry_run",
  ),
  SYMBOLS: symbols("symbols whose proposal hashes are polled", "BTCUSDT,ETHUSDT,SOLUSDT"),
  APPLY_ALLOWLIST: symbols("symbols whose plans may execute", "BTCUSDT"),
  APPLY_POLL_SEC: number("seconds between two polls of the proposal hashes", 5, { min: 0.1, max: 3600 }),
  APPLY_DEDUPE_TTL_SEC: integer("how long the same proposal counts as a duplicate, in s", 21_600, {
    min: 1,
    max: MAX_SEC,
  }),
  K_BLOCK_CRITICAL: number("kill score from which plans that do not close are blocked", 0.8, { max: 1 }),
  K_BLOCK_WARNING: number("kill score from which plans that raise risk are blocked", 0.6, { max: 1 }),
  K_CRITICAL_BLOCKS_CLOSES: flag(
    "the critical kill score also blocks closes, as in the Python service",
    false,
  ),
  APPLY_KILL_SWITCH: flag("block every plan of this service", false),
  APPLY_PERMIT_WAIT_MS: integer("how long a plan waits for its permits, in ms", 1_200, {
    min: 1,
    max: WAIT_BUDGET_MAX_MS,
  }),
  APPLY_PERMIT_STEP_MS: integer(
    "interval of the poll for permits that were set without a wake-up, in ms",
    100,
    {
      min: 10,
      max: WAIT_BUDGET_MAX_MS,
    },
  ),
  APPLY_REQUIRED_PERMITS: issuerNames("issuers whose permits every plan needs", ISSUERS.join()),
  APPLY_BARE_PERMITS: issuerNames(
    'those of APPLY_REQUIRED_PERMITS whose permit is the text 1, written before the plan, without quantity or cap; "" = none',
    "",
  ),
  APPLY_EXECUTE_TTL_MS: integer(
    "how long after the permits are spent the order may be claimed, in ms",
    5_000,
    { min: 100, max: EXECUTE_TTL_MAX_MS },
  ),
  APPLY_PROPOSAL_MAX_AGE_SEC: integer("age from which a proposal is stale, in s; 0 = off", 300, {
    max: MAX_SEC,
  }),
  APPLY_BACKLOG_MAX: integer(
    "how many entries an issuer or the executor may be behind; beyond it new plans are blocked with backlog_full",
    1_000,
    { min: 1 },
  ),
  APPLY_METRICS_PORT: port("port of /healthz, /readyz, /metrics and /plans", PORT),
  APPLY_LOG_LEVEL: logLevel(),
  BINANCE_BASE_URL: optionalText(
    "the executor's venue; in testnet mode simulated proposals are refused unless this is a simulated one",
  ),
});

export type Config = z.output<typeof schema>;

export const configSource: ConfigSource<typeof schema> = {
  schema,
  ownPrefixes,
  // The Python apply-layer placed the orders itself.
  retired: ["BINANCE_TESTNET_API_KEY", "BINANCE_TESTNET_API_SECRET"],
  relations: (config) => {
    const broken: string[] = [];
    const { APPLY_REQUIRED_PERMITS: required } = config;
    if (config.K_BLOCK_WARNING > config.K_BLOCK_CRITICAL) {
      broken.push(
        `K_BLOCK_WARNING=${config.K_BLOCK_WARNING} exceeds K_BLOCK_CRITICAL=${config.K_BLOCK_CRITICAL}: the warning would never be reached`,
      );
    }
    if (config.APPLY_PERMIT_STEP_MS > config.APPLY_PERMIT_WAIT_MS) {
      broken.push(
        `APPLY_PERMIT_STEP_MS=${config.APPLY_PERMIT_STEP_MS} exceeds APPLY_PERMIT_WAIT_MS=${config.APPLY_PERMIT_WAIT_MS}: keys set without a wake-up would be seen only at the deadline`,
      );
    }
    if (!required.includes(QUANTITY_ISSUER)) {
      broken.push(
        `APPLY_REQUIRED_PERMITS=${required.join()} lacks ${QUANTITY_ISSUER}: its permit carries the side and quantity of the order`,
      );
    }
    for (const issuer of config.APPLY_BARE_PERMITS) {
      const named = `APPLY_BARE_PERMITS=${config.APPLY_BARE_PERMITS.join()}`;
      if ((ISSUERS as readonly string[]).includes(issuer))
        broken.push(`${named} names ${issuer}, whose permit is JSON with a quantity or cap`);
      else if (!required.includes(issuer))
        broken.push(`${named} names ${issuer}, which APPLY_REQUIRED_PERMITS=${required.join()} does not`);
    }
    if (new Set(required).size !== required.length) {
      broken.push(`APPLY_REQUIRED_PERMITS=${required.join()} names an issuer twice`);
    }
    if (config.BINANCE_BASE_URL !== undefined) {
      try {
        parseVenue(config.BINANCE_BASE_URL);
      } catch (error) {
        broken.push((error as Error).message);
      }
    }
    return broken;
  },
};

/** Whether orders would reach a real exchange: in testnet mode, unless the venue is simulated. */
export function isRealVenue(config: Config): boolean {
  if (config.APPLY_MODE !== "testnet") return false;
  return config.BINANCE_BASE_URL === undefined || !parseVenue(config.BINANCE_BASE_URL).simulated;
}

export function gatesOf(config: Config): Gates {
  return {
    allowlist: new Set(config.APPLY_ALLOWLIST),
    killScoreCritical: config.K_BLOCK_CRITICAL,
    killScoreWarning: config.K_BLOCK_WARNING,
    criticalBlocksCloses: config.K_CRITICAL_BLOCKS_CLOSES,
    proposalMaxAgeSec: config.APPLY_PROPOSAL_MAX_AGE_SEC,
    refuseSimulated: isRealVenue(config),
  };
}
