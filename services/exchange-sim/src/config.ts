import { choice, commonVariables, flag, integer, optionalText, port, text } from "@quantum/service-kit";
import { serviceOf } from "@quantum/topology";
import { z } from "zod";
import { ORDER_ANSWERS } from "./routes.ts";

const { port: PORT, envPrefixes: ownPrefixes } = serviceOf("exchange-sim");

export const configSource = {
  schema: z.object({
    ...commonVariables,
    EXCHANGE_SIM_PORT: port(
      "port of the simulated exchange, which also serves /sim, /healthz and /metrics",
      PORT,
    ),
    SIM_SEED: integer("seed of prices and ids; the same seed gives the same ones", 1),
    SIM_MARKET_FILE: optionalText("JSON file with symbols and positions [six built-in symbols]"),
    SIM_STRATEGY: flag("the simulated account reopens positions that orders have reduced", true),
    SIM_LATENCY_MS: integer("delay of every answer, in ms", 0, { max: 60_000 }),
    SIM_LIMITS: flag(
      "limits of request weight and orders as at the venue, with 429 and bans; false: everything is counted, nothing refused",
      true,
    ),
    SIM_ORDER_ANSWER: choice(
      "what the answer to an order says: what became of it, or only that it was taken",
      ORDER_ANSWERS,
      "ack",
    ),
    EXCHANGE_SIM_STATE: optionalText("file that keeps the account over a restart [in memory only]"),
    SIM_API_KEY: text("the account's key", "sim-key"),
    SIM_API_SECRET: text("the account's secret", "sim-secret"),
  }),
  ownPrefixes,
};
