/** A minimal service for this package's tests. Entries of the plan stream tell it what to do. */
import { setTimeout as delay } from "node:timers/promises";
import { ACK, StreamConsumer } from "@quantum/streams";
import { z } from "zod";
import { commonVariables } from "./service-config.ts";
import { integer, logLevel, optionalText, port, text } from "./config.ts";
import { redisVariables } from "./redis-config.ts";
import { runService } from "./redis-service.ts";

await runService({
  // A service of the table needs rights.
  name: process.env["AS_SERVICE"] ?? "sample",
  summary: "handles entries for tests",
  schema: z.object({
    ...redisVariables,
    ...commonVariables,
    SAMPLE_PORT: port("its port", 0),
    SAMPLE_LOG_LEVEL: logLevel(),
    SAMPLE_SIZE: integer("a number", 3, { min: 1, max: 9 }),
    SAMPLE_LIMIT: integer("a number that the size stays below", 10),
    SAMPLE_SECRET: text("something not to show", "none"),
    SAMPLE_FAILS: optionalText("what its start fails with"),
    SAMPLE_MISSING: optionalText("what /readyz names as missing"),
  }),
  ownPrefixes: ["SAMPLE_"],
  retired: ["SAMPLE_OLD"],
  relations: ({ SAMPLE_SIZE, SAMPLE_LIMIT }) =>
    SAMPLE_SIZE < SAMPLE_LIMIT
      ? []
      : [`SAMPLE_SIZE=${SAMPLE_SIZE}: must be below SAMPLE_LIMIT=${SAMPLE_LIMIT}`],
  port: (config) => config.SAMPLE_PORT,
  level: (config) => config.SAMPLE_LOG_LEVEL,
  start: async ({ config, log, partitions, instance }) => {
    // Services read existing state before they begin.
    const { account } = partitions;
    await account.redis.mget(account.keys.exchangePause("requests"));
    if (config.SAMPLE_FAILS !== undefined) throw new Error(config.SAMPLE_FAILS);
    return {
      consumers: partitions.map(
        ({ number, keys, redis, connectForBlocking }) =>
          new StreamConsumer({
            redis,
            connectForBlocking,
            keys,
            stream: keys.streams.plan,
            group: "sample",
            consumer: instance,
            handle: async ({ id, fields }) => {
              log.info({ entry: id, partition: number }, "handling");
              await delay(Number(fields["hold_ms"] ?? 0));
              if (fields["fail"] !== undefined) throw new Error(fields["fail"]);
              return ACK;
            },
          }),
      ),
      begin: async () => log.info("its own work"),
      stop: async () => log.info("its own stop"),
      readiness: async () => {
        if (config.SAMPLE_MISSING === "throw") throw new Error("the exchange cannot be asked");
        return config.SAMPLE_MISSING === undefined ? [] : [config.SAMPLE_MISSING];
      },
    };
  },
});
