import { violationsOf } from "@quantum/harness";
import { readConfig } from "@quantum/service-kit";
import { describe, expect, it } from "vitest";
import { configSource, isRealVenue } from "./config.ts";

const read = (environment: Record<string, string> = {}) => readConfig(configSource, environment);
const violations = (environment: Record<string, string>) => violationsOf(() => read(environment));

describe("the apply-layer's configuration", () => {
  it("has the Python service's defaults, and executes nothing", () => {
    expect(read().config).toMatchObject({
      APPLY_MODE: "dry_run",
      SYMBOLS: ["BTCUSDT", "ETHUSDT", "SOLUSDT"],
      APPLY_ALLOWLIST: ["BTCUSDT"],
      APPLY_POLL_SEC: 5,
      APPLY_DEDUPE_TTL_SEC: 21_600,
      K_BLOCK_CRITICAL: 0.8,
      K_BLOCK_WARNING: 0.6,
      APPLY_KILL_SWITCH: false,
      APPLY_METRICS_PORT: 8043,
      APPLY_PERMIT_WAIT_MS: 1200,
      APPLY_PERMIT_STEP_MS: 100,
      APPLY_REQUIRED_PERMITS: ["governor", "p33"],
      APPLY_EXECUTE_TTL_MS: 5000,
      APPLY_PROPOSAL_MAX_AGE_SEC: 300,
      K_CRITICAL_BLOCKS_CLOSES: false,
    });
  });

  it("takes an empty mode for an unset one: dry_run", () => {
    expect(read({ APPLY_MODE: "" }).config.APPLY_MODE).toBe("dry_run");
  });

  it("says everything that is wrong at once: variable, value and rule", () => {
    const said = violations({
      APPLY_MODE: "live",
      APPLY_ALLOWLIST: "btc-usdt",
      APPLY_PERMIT_WAIT_MS: "1.5",
      K_BLOCK_CRITICAL: "1.1",
      APPLY_KILL_SWITCH: "maybe",
      APPLY_PERMIT_WAIT: "1200",
      K_BLOCK_CRITICL: "0.9",
    });
    expect(said).toHaveLength(7);
    expect(said).toContainEqual('APPLY_MODE="live": must be one of dry_run, testnet, paper');
    expect(said).toContainEqual('K_BLOCK_CRITICAL="1.1": must be a number from 0 to 1');
    expect(said).toContainEqual("APPLY_PERMIT_WAIT is not a variable of this service");
    expect(said).toContainEqual(
      "K_BLOCK_CRITICL is not a variable of this service; did you mean K_BLOCK_CRITICAL?",
    );
  });

  it.each([
    [{ K_BLOCK_WARNING: "0.9" }, "K_BLOCK_WARNING=0.9 exceeds K_BLOCK_CRITICAL=0.8"],
    [{ APPLY_PERMIT_STEP_MS: "1201" }, "APPLY_PERMIT_STEP_MS=1201 exceeds APPLY_PERMIT_WAIT_MS=1200"],
    [{ APPLY_REQUIRED_PERMITS: "governor" }, "APPLY_REQUIRED_PERMITS=governor lacks p33"],
    [{ APPLY_REQUIRED_PERMITS: "p33,p33" }, "APPLY_REQUIRED_PERMITS=p33,p33 names an issuer twice"],
    [{ APPLY_REQUIRED_PERMITS: "p33,spent" }, 'other than "spent"'],
    [{ APPLY_REQUIRED_PERMITS: "," }, "APPLY_REQUIRED_PERMITS"],
    [{ APPLY_BARE_PERMITS: "p26" }, "names p26, which APPLY_REQUIRED_PERMITS=governor,p33 does not"],
    [{ APPLY_BARE_PERMITS: "governor" }, "names governor, whose permit is JSON with a quantity or cap"],
    [{ APPLY_BARE_PERMITS: "p33" }, "names p33, whose permit is JSON with a quantity or cap"],
    [{ APPLY_BARE_PERMITS: "P2.6" }, "lower-case issuer names"],
    [{ APPLY_PERMIT_WAIT_MS: "60000" }, "APPLY_PERMIT_WAIT_MS"],
    [{ K_BLOCK_CRITICAL: "nan" }, "K_BLOCK_CRITICAL"],
    [{ BINANCE_BASE_URL: "https://fapi.binance.com" }, "fapi.binance.com"],
  ])("refuses %j", (environment, sentence) => {
    const said = violations(environment);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain(sentence);
  });

  it("takes a third issuer whose permit is bare", () => {
    expect(read({}).config.APPLY_BARE_PERMITS).toEqual([]);
    const names = { APPLY_REQUIRED_PERMITS: "governor,p33,p26", APPLY_BARE_PERMITS: "p26" };
    expect(read(names).config.APPLY_BARE_PERMITS).toEqual(["p26"]);
  });

  it("takes a third issuer, blanks around names, and Python's log levels", () => {
    const { config } = read({ APPLY_REQUIRED_PERMITS: " governor , p33,risk ", APPLY_LOG_LEVEL: "WARNING" });
    expect(config.APPLY_REQUIRED_PERMITS).toEqual(["governor", "p33", "risk"]);
    expect(config.APPLY_LOG_LEVEL).toBe("warn");
  });

  it("warns of the keys that the Python service needed", () => {
    expect(read({ BINANCE_TESTNET_API_KEY: "fake-key" }).warnings).toHaveLength(1);
  });

  it.each([
    [{ APPLY_MODE: "testnet" }, true],
    [{ APPLY_MODE: "testnet", BINANCE_BASE_URL: "https://testnet.binancefuture.com" }, true],
    [{ APPLY_MODE: "testnet", BINANCE_BASE_URL: "http://127.0.0.1:8099" }, false],
    [{ APPLY_MODE: "paper" }, false],
    [{}, false],
  ])("with %j: orders would be real: %s", (environment, real) => {
    expect(isRealVenue(read(environment as Record<string, string>).config)).toBe(real);
  });
});
