import {
  commonVariables,
  integer,
  number,
  optionalText,
  port,
  redisVariables,
  symbols,
} from "@quantum/service-kit";
import { serviceOf } from "@quantum/topology";
import { z } from "zod";

const { port: PORT, envPrefixes: ownPrefixes } = serviceOf("harvest-feed");

export const configSource = {
  schema: z.object({
    ...redisVariables,
    ...commonVariables,
    FEED_SYMBOLS: symbols("symbols of generated proposals; a file brings its own", "BTCUSDT,ETHUSDT,SOLUSDT"),
    FEED_RATE: number("maximum proposals per second", 2, { min: 0.01, max: 1000 }),
    FEED_IN_FLIGHT_PER_SYMBOL: integer("plans of one symbol that may wait for their result", 1, {
      min: 1,
      max: 1000,
    }),
    FEED_MAX: integer("proposals after which the feed is done; 0 is endless", 0),
    FEED_SEED: integer("seed of generated proposals", 1),
    FEED_FILE: optionalText("JSONL file of proposals that are published once instead of generated ones"),
    FEED_METRICS_PORT: port("port of /healthz, /readyz and /metrics", PORT),
  }),
  ownPrefixes,
};
