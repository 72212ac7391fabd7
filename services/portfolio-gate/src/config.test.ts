import { violationsOf } from "@quantum/harness";
import { readConfig } from "@quantum/service-kit";
import { describe, expect, it } from "vitest";
import { allowlistOf, configSource, rulesOf } from "./config.ts";

const read = (environment: Record<string, string>) => readConfig(configSource, environment);
const violations = (environment: Record<string, string>) => violationsOf(() => read(environment));

describe("P2.6's configuration", () => {
  it("has the Python service's port, thresholds and times", () => {
    const { config } = read({ P26_ALLOWLIST: "BTCUSDT,ETHUSDT" });
    expect(config).toMatchObject({
      P26_METRICS_PORT: 8047,
      P26_PERMIT_TTL: 60,
      P26_COOLDOWN_SEC: 60,
      P26_SIGMA_REF: 0.05,
    });
    expect(rulesOf(config)).toEqual({
      allowlist: new Set(["BTCUSDT", "ETHUSDT"]),
      coldBelow: 0.55,
      riskOffFrom: 0.8,
      hardKillScore: 0.85,
    });
  });

  it("takes the apply-layer's allowlist where it has none of its own, each symbol once", () => {
    expect(allowlistOf(read({ APPLY_ALLOWLIST: "SOLUSDT,SOLUSDT" }).config)).toEqual(["SOLUSDT"]);
    expect(allowlistOf(read({}).config)).toEqual(["BTCUSDT"]);
  });

  it("reports everything that is wrong at once", () => {
    expect(
      violations({ P26_SIGMA_REF: "0", P26_KS_HARD: "2", P26_COOLDOWN_SEC: "3601", P26_COOLDWN_SEC: "1" }),
    ).toEqual([
      "P26_COOLDWN_SEC is not a variable of this service; did you mean P26_COOLDOWN_SEC?",
      expect.stringMatching(/^P26_SIGMA_REF="0": must be a number from 0.000001/),
      'P26_KS_HARD="2": must be a number from 0 to 1',
      'P26_COOLDOWN_SEC="3601": must be a whole number from 0 to 3600',
    ]);
  });

  it("refuses what contradicts itself, and says why", () => {
    expect(violations({ P26_STRESS_FULLCLOSE_MIN: "0.9", P26_PERMIT_TTL: "2" })).toEqual([
      "P26_STRESS_FULLCLOSE_MIN=0.9 exceeds P26_STRESS_RISKOFF=0.8: a portfolio would be cold and under high stress at once",
      "P26_PERMIT_TTL=2 must exceed 2.2 s: a permit could expire while its plan still waits for the other issuer",
    ]);
  });

  it("simulates answers at a simulated exchange only", () => {
    expect(violations({ P26_SIM_DENY_RATE: "0.5", BINANCE_BASE_URL: "http://127.0.0.1:8099" })).toEqual([]);
    expect(violations({ P26_SIM_DENY_RATE: "0.5" })).toEqual([
      expect.stringContaining("answers are simulated only at a simulated exchange"),
    ]);
  });

  it("warns of names that only the Python service knew", () => {
    expect(read({ P26_H_MIN: "0.05", P26_POLL_INTERVAL: "5" }).warnings).toHaveLength(2);
  });
});
