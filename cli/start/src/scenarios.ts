/** What simulated issuers and operators do in a run, as combinations of the services' simulation variables. */
import { type Environment, ISSUERS, type ServiceName } from "@quantum/topology";
import type { MarketRow } from "./market.ts";

export interface Scenario {
  /** One line for `--help`: what happens, and its result. */
  readonly meaning: string;
  /** Added to the profile, for the named services only. */
  readonly environment?: Partial<Record<ServiceName, Environment>>;
  /** Issuers whose permits every plan needs; by default those of `APPLY_REQUIRED_PERMITS`. */
  readonly issuers?: readonly string[];
  /** Whether a run without any order has proved nothing. */
  readonly ordersExpected: boolean;
  /**
   * Proposals of one symbol in progress at once. Only where no order forces the next one to wait for a new position.
   */
  readonly inFlightPerSymbol?: number;
  /** Uses the governor's default limits instead of the profile's high ones. */
  readonly governorDefaults?: true;
  /** The kill switch is turned on during the run and off again. */
  readonly killSwitch?: true;
  /** Replaces exchange-sim's built-in symbols. */
  readonly market?: readonly MarketRow[];
}

/** Enough that plans waiting for their whole budget do not slow the feed down. */
const WAITING_PER_SYMBOL = 20;

/**
 * BTCUSDT is small enough that the governor's default daily quantity allows two closes, and the third is a burst.
 * SOLUSDT exceeds it.
 */
const LIMITED_MARKET: readonly MarketRow[] = [
  {
    symbol: "BTCUSDT",
    price: "105000.00",
    positionAmt: "0.009",
    entryPrice: "103450.50",
    stepSize: "0.001",
    minQty: "0.001",
    minNotional: "50",
    tickSize: "0.10",
    leverage: "10",
  },
  {
    symbol: "SOLUSDT",
    price: "145.3000",
    positionAmt: "42.15",
    entryPrice: "139.8200",
    stepSize: "0.01",
    minQty: "0.01",
    minNotional: "5",
    tickSize: "0.0100",
    leverage: "5",
  },
];

export const SCENARIOS = {
  healthy: { meaning: "every permit comes at once: every plan is executed", ordersExpected: true },
  "slow-p33": {
    meaning: "P3.3 answers after 200-900 ms: plans wait, and are executed",
    environment: { "position-brain": { P33_SIM_DELAY_MS: "200-900" } },
    ordersExpected: true,
  },
  "missing-p33": {
    meaning: "P3.3 gives no answer: BLOCK missing_p33 at the deadline, 1200 ms",
    environment: { "position-brain": { P33_SIM_DROP_RATE: "1" } },
    ordersExpected: false,
    inFlightPerSymbol: WAITING_PER_SYMBOL,
  },
  "missing-governor": {
    meaning: "the governor gives no answer: BLOCK missing_governor at the deadline, 1200 ms",
    environment: { governor: { GOV_SIM_DROP_RATE: "1" } },
    // One at a time, because P3.3 denies what it has reserved for a waiting plan.
    ordersExpected: false,
  },
  "late-p33": {
    meaning: "P3.3 answers after the deadline: BLOCK missing_p33, the late permit is never written",
    environment: { "position-brain": { P33_SIM_DELAY_MS: "2000-2400" } },
    ordersExpected: false,
    inFlightPerSymbol: WAITING_PER_SYMBOL,
  },
  deny: {
    meaning: "P3.3 denies: BLOCK p33_permit_denied at once, the governor's permit is not spent",
    environment: { "position-brain": { P33_SIM_DENY_RATE: "1" } },
    ordersExpected: false,
    inFlightPerSymbol: WAITING_PER_SYMBOL,
  },
  "kill-switch": {
    meaning: "the kill switch is turned on during the run and off again: BLOCK kill_switch_active in between",
    ordersExpected: true,
    killSwitch: true,
  },
  "dry-run": {
    meaning: "mode dry_run: permits are spent, nothing is sent",
    environment: { "apply-layer": { APPLY_MODE: "dry_run" } },
    ordersExpected: false,
  },
  portfolio: {
    meaning:
      "a third issuer, P2.6: denies until every symbol has had a proposal, then caps full closes while the portfolio is calm, and makes closes in quick succession smaller or denies them",
    issuers: [...ISSUERS, "p26"],
    ordersExpected: true,
  },
  limits: {
    meaning: "the governor's default limits: BLOCK governor_permit_denied once they are used up",
    environment: { governor: { GOV_ENABLE_AUTO_DISARM: "false" } },
    ordersExpected: false,
    governorDefaults: true,
    market: LIMITED_MARKET,
  },
  disarm: {
    meaning: "the same, with auto-disarm: a burst beyond the limit stops everything, BLOCK disarmed",
    ordersExpected: false,
    governorDefaults: true,
    market: LIMITED_MARKET,
  },
} as const satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof SCENARIOS;
export const SCENARIO_NAMES = Object.keys(SCENARIOS) as ScenarioName[];
