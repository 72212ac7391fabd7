import { EXECUTE_TTL_MAX_MS } from "@quantum/contract";
import { ConfigError, readConfig } from "@quantum/service-kit";
import { describe, expect, it } from "vitest";
import { allowlistOf, configSource, quietMs, reserveTtlMs } from "./config.ts";

const environment = {
  BINANCE_BASE_URL: "http://127.0.0.1:8099",
  BINANCE_TESTNET_API_KEY: "sim-key",
  BINANCE_TESTNET_API_SECRET: "sim-secret",
};

const read = (over: Record<string, string> = {}) =>
  readConfig(configSource, { ...environment, ...over }).config;

function violations(over: Record<string, string>): readonly string[] {
  try {
    read(over);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.violations;
  }
}

describe("the configuration", () => {
  it("takes the allowlist of its own, else the apply-layer's, else BTCUSDT", () => {
    expect([...allowlistOf(read())]).toEqual(["BTCUSDT"]);
    expect([...allowlistOf(read({ APPLY_ALLOWLIST: "ETHUSDT,SOLUSDT" }))]).toEqual(["ETHUSDT", "SOLUSDT"]);
    const both = { APPLY_ALLOWLIST: "ETHUSDT", P33_ALLOWLIST: "XRPUSDT" };
    expect([...allowlistOf(read(both))]).toEqual(["XRPUSDT"]);
    expect(violations({ P33_ALLOWLIST: "BTC-USDT" })).toEqual([
      'P33_ALLOWLIST="BTC-USDT": must be a comma-separated list of symbols of 2 to 32 letters, digits and `_`',
    ]);
  });

  it("reads the positions by REST before a silent stream lets a snapshot get stale", () => {
    const quiet = (P33_STALE_THRESHOLD_SEC: number) => quietMs({ P33_STALE_THRESHOLD_SEC });
    expect([60, 10, 8, 6.5].map(quiet)).toEqual([7_000, 7_000, 5_000, 3_500]);
    // The signs of life would come too seldom: it polls as if there were no stream.
    expect([6, 2].map(quiet)).toEqual([0, 0]);
  });

  it("keeps a reservation longer than permit and handover can live", () => {
    expect(reserveTtlMs(read())).toBeGreaterThan(60_000 + EXECUTE_TTL_MAX_MS);
    expect(reserveTtlMs(read({ P33_PERMIT_TTL: "90" }))).toBeGreaterThan(90_000 + EXECUTE_TTL_MAX_MS);
  });

  it("says what would break, all at once", () => {
    expect(
      violations({ P33_STALE_THRESHOLD_SEC: "5", P33_PERMIT_TTL: "2", P33_STALE_TRESHOLD_SEC: "5" }),
    ).toEqual([
      "P33_STALE_TRESHOLD_SEC is not a variable of this service; did you mean P33_STALE_THRESHOLD_SEC?",
      "P33_STALE_THRESHOLD_SEC=5 must exceed P33_POLL_SEC=5: every snapshot would be stale before the next one",
      "P33_PERMIT_TTL=2 must exceed 2.2 s: a permit could expire while its plan still waits for the other issuer",
    ]);
  });

  it("refuses production, no exchange at all, and invented answers anywhere but at a simulator", () => {
    expect(violations({ BINANCE_BASE_URL: "https://fapi.binance.com" })[0]).toContain(
      "production is refused",
    );
    expect(violations({ BINANCE_BASE_URL: "" })).toEqual(["BINANCE_BASE_URL: is required"]);
    expect(violations({ P33_SIM_DENY_RATE: "0.5" })).toEqual([]);
    expect(
      violations({ BINANCE_BASE_URL: "https://testnet.binancefuture.com", P33_SIM_DENY_RATE: "0.5" }),
    ).toEqual(["P33_SIM_*: simulated delays, denials and drops are for a simulated exchange only"]);
  });
});
