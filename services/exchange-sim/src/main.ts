import { readFile } from "node:fs/promises";
import { runBareService } from "@quantum/service-kit";
import { serviceOf } from "@quantum/topology";
import { z } from "zod";
import { configSource } from "./config.ts";
import { NO_LIMITS, VENUE_LIMITS } from "./limits.ts";
import { DEFAULT_MARKET, marketSchema, type SymbolSpec } from "./market.ts";
import { registerExchangeSim } from "./server.ts";

/** All other services call it at once, and each request of an executor may use its own connection. */
const CONNECTIONS_MAX = 4_096;

await runBareService({
  name: serviceOf("exchange-sim").name,
  summary: "a simulated futures venue for development and tests: positions, prices and faults are invented",
  ...configSource,
  port: (config) => config.EXCHANGE_SIM_PORT,
  connectionsMax: CONNECTIONS_MAX,
  start: async ({ config, http }) => {
    registerExchangeSim(http, {
      market:
        config.SIM_MARKET_FILE === undefined ? DEFAULT_MARKET : await readMarket(config.SIM_MARKET_FILE),
      seed: config.SIM_SEED,
      strategy: config.SIM_STRATEGY,
      latencyMs: config.SIM_LATENCY_MS,
      limits: config.SIM_LIMITS ? VENUE_LIMITS : NO_LIMITS,
      orderAnswer: config.SIM_ORDER_ANSWER,
      stateFile: config.EXCHANGE_SIM_STATE,
      apiKey: config.SIM_API_KEY,
      apiSecret: config.SIM_API_SECRET,
    });
    return {};
  },
});

async function readMarket(file: string): Promise<readonly SymbolSpec[]> {
  try {
    return marketSchema.parse(JSON.parse(await readFile(file, "utf8")));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new Error(`SIM_MARKET_FILE=${file}: ${why}`, { cause: error });
  }
}
