import { runService } from "@quantum/service-kit";
import { serviceOf } from "@quantum/topology";
import { configSource } from "./config.ts";
import { Feed } from "./feed.ts";
import { createGenerator } from "./generate.ts";
import { createReplay, readReplay } from "./replay.ts";
import { observe } from "./telemetry.ts";

await runService({
  name: serviceOf("harvest-feed").name,
  summary: "stands in for the publisher of harvest proposals: generates them, or replays a file",
  ...configSource,
  port: (config) => config.FEED_METRICS_PORT,
  start: async ({ config, log, registry, partitions, openIntake, progress }) => {
    const file = config.FEED_FILE;
    const source =
      file === undefined
        ? createGenerator({ symbols: config.FEED_SYMBOLS, seed: config.FEED_SEED, now: Date.now })
        : createReplay(await readReplay(file));
    const feed = new Feed({
      partitions,
      intake: openIntake(),
      source,
      ratePerSec: config.FEED_RATE,
      inFlightPerSymbol: config.FEED_IN_FLIGHT_PER_SYMBOL,
      max: config.FEED_MAX === 0 ? Number.POSITIVE_INFINITY : config.FEED_MAX,
    });
    const steps = progress.attempts("publish");
    feed.on("failed", ({ doing, error }) => steps.failed(doing, error.message));
    feed.on("recovered", ({ doing }) => steps.ended(doing));
    observe({ feed, symbols: source.symbols, registry, log });
    return {
      begin: async () => {
        log.info({ seed: config.FEED_SEED, file, symbols: source.symbols }, "feed starts");
        await feed.start();
      },
      stop: () => feed.stop(),
    };
  },
});
