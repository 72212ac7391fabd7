import { violationsOf } from "@quantum/harness";
import { readConfig } from "@quantum/service-kit";
import { describe, expect, it } from "vitest";
import { configSource, disarmOn, rulesOf } from "./config.ts";

const read = (environment: Record<string, string>) => readConfig(configSource, environment);
const violations = (environment: Record<string, string>) => violationsOf(() => read(environment));

describe("the governor's configuration", () => {
  it("has the Python governor's defaults", () => {
    const { config } = read({});
    expect(config.METRICS_PORT).toBe(8044);
    expect(rulesOf(config)).toEqual({
      killScoreCritical: 0.8,
      executionsPerHour: 3,
      executionsPer5Min: 2,
      notionalPerDay: 500_000_000_000n,
      qtyPerDay: 2_000_000n,
    });
    expect(disarmOn(config)).toEqual({ burstBreach: true, errors: 5 });
  });

  it("never disarms when auto-disarm is off", () => {
    const { config } = read({ GOV_ENABLE_AUTO_DISARM: "false" });
    expect(disarmOn(config)).toEqual({ burstBreach: false, errors: Infinity });
  });

  it("reads day limits exactly, and rounds a limit down", () => {
    const { config } = read({
      GOV_MAX_REDUCE_QTY_PER_DAY: "0.1",
      GOV_MAX_REDUCE_NOTIONAL_PER_DAY_USD: "0.000000019",
    });
    expect(rulesOf(config)).toMatchObject({ qtyPerDay: 10_000_000n, notionalPerDay: 1n });
  });

  it.each(["1e999", "-1", "much", "Infinity"])("refuses a day limit of %s and says why", (value) => {
    expect(violations({ GOV_MAX_REDUCE_QTY_PER_DAY: value })).toEqual([
      `GOV_MAX_REDUCE_QTY_PER_DAY="${value}": must be a decimal from 0`,
    ]);
  });

  it("accepts the streams' names, and no others", () => {
    expect(violations({ STREAM_PLANS: "quantum:stream:apply.plan" })).toEqual([]);
    expect(violations({ STREAM_RESULTS: "other" })).toHaveLength(1);
  });

  it("simulates answers at a simulated exchange only", () => {
    expect(violations({ GOV_SIM_DENY_RATE: "0.5", BINANCE_BASE_URL: "http://127.0.0.1:8099" })).toEqual([]);
    for (const venue of [{}, { BINANCE_BASE_URL: "https://testnet.binancefuture.com" }]) {
      expect(violations({ GOV_SIM_DENY_RATE: "0.5", ...venue })).toEqual([
        expect.stringContaining("answers are simulated only at a simulated exchange"),
      ]);
    }
  });

  it("warns of names that only the Python governor knew, and refuses misspelt ones", () => {
    expect(read({ BINANCE_TESTNET_API_KEY: "fake" }).warnings).toHaveLength(1);
    expect(violations({ GOV_MAX_EXEC_PER_HUOR: "3" })).toEqual([
      "GOV_MAX_EXEC_PER_HUOR is not a variable of this service; did you mean GOV_MAX_EXEC_PER_HOUR?",
    ]);
  });
});
