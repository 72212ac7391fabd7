import {
  commonVariables,
  integer,
  logLevel,
  optionalText,
  port,
  redisVariables,
  text,
} from "@quantum/service-kit";
import { serviceOf } from "@quantum/topology";
import { z } from "zod";

const { port: PORT, envPrefixes: ownPrefixes } = serviceOf("executor");

/** Binance's limit of a receive window. */
const RECV_WINDOW_MAX_MS = 60_000;

/** One hour. The symbol is blocked for this long. */
const ABSENCE_MAX_SEC = 3_600;

export const configSource = {
  schema: z.object({
    ...redisVariables,
    ...commonVariables,
    EXECUTOR_METRICS_PORT: port("port of /metrics, /healthz and /readyz", PORT),
    EXECUTOR_LOG_LEVEL: logLevel(),
    EXECUTOR_RECV_WINDOW_MS: integer(
      "how long after its claim the exchange may execute an order, in ms",
      5000,
      {
        min: 1,
        max: RECV_WINDOW_MAX_MS,
      },
    ),
    EXECUTOR_TIMEOUT_MS: integer("timeout of one request to the exchange, in ms", 4000, { min: 1 }),
    EXECUTOR_ABSENCE_SEC: integer(
      "how long the exchange must report an order in doubt as unknown before it counts as not placed, in s",
      60,
      { min: 1, max: ABSENCE_MAX_SEC },
    ),
    EXECUTOR_ISSUER_KEYS_FILE: optionalText(
      "file with the issuers' public keys: JSON, by issuer and key id; others must not be able to write to it",
    ),
    BINANCE_BASE_URL: text("the venue: an exchange simulator or a Binance testnet, never production"),
    BINANCE_TESTNET_API_KEY: text("the account's key"),
    BINANCE_TESTNET_API_SECRET: text("the account's secret"),
  }),
  ownPrefixes,
  relations: (config: { EXECUTOR_TIMEOUT_MS: number; EXECUTOR_RECV_WINDOW_MS: number }) =>
    config.EXECUTOR_TIMEOUT_MS < config.EXECUTOR_RECV_WINDOW_MS
      ? []
      : [
          `EXECUTOR_TIMEOUT_MS=${config.EXECUTOR_TIMEOUT_MS} must be below EXECUTOR_RECV_WINDOW_MS=` +
            `${config.EXECUTOR_RECV_WINDOW_MS}, or answers that arrive in time would be missed`,
        ],
};
