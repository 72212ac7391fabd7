import { EXECUTE_TTL_MAX_MS } from "@quantum/contract";
import { BOOKKEEPING_EVERY_MS, createIssuer, keepBooks } from "@quantum/permits";
import { createSimulation, every, runService, simulationOf } from "@quantum/service-kit";
import { StreamConsumer } from "@quantum/streams";
import { serviceOf } from "@quantum/topology";
import { configSource, disarmOn, rulesOf } from "./config.ts";
import { Governor } from "./handler.ts";
import { observe } from "./telemetry.ts";

const {
  name: NAME,
  group: GROUP,
  issuer: { name: ISSUER },
} = serviceOf("governor");
const PERMIT_TTL_SEC = 60;
const DENIAL_TTL_SEC = 3_600;
/** A promise outlives every moment at which its order can still come, and the way of its result to us. */
const RESERVE_TTL_MS = PERMIT_TTL_SEC * 1000 + EXECUTE_TTL_MAX_MS + 30_000;

await runService({
  name: NAME,
  summary: "permits a plan within the limits of its symbol, and disarms everything when they are stormed",
  ...configSource,
  port: (config) => config.METRICS_PORT,
  level: (config) => config.GOV_LOG_LEVEL,
  start: async ({ config, keys, redis, registry, log, instance, progress, connectForBlocking }) => {
    const governor = new Governor({
      redis,
      keys,
      issuer: createIssuer({
        redis,
        keys,
        issuer: ISSUER,
        group: GROUP,
        permitTtlSec: PERMIT_TTL_SEC,
        denialTtlSec: DENIAL_TTL_SEC,
        reserveTtlMs: RESERVE_TTL_MS,
      }),
      rules: rulesOf(config),
      disarmOn: disarmOn(config),
      simulate: createSimulation(simulationOf(config, "GOV_SIM")),
    });
    observe({ governor, symbols: config.SYMBOLS, issuer: ISSUER, redis, keys, registry, log });
    const keepSums = progress.loop("keep the sums of the limits", BOOKKEEPING_EVERY_MS, () =>
      keepBooks({
        redis,
        keys,
        issuer: ISSUER,
        reserveTtlMs: RESERVE_TTL_MS,
        charges: true,
        symbols: config.SYMBOLS,
        onCorrection: (correction) => log.warn(correction, "limits put right"),
      }),
    );
    let stopBooks = async () => {};
    const startBooks = () => {
      const failed = (error: Error) =>
        log.error({ err: error }, "failed to keep the sums of the limits, trying again");
      stopBooks = every(BOOKKEEPING_EVERY_MS, keepSums, failed).stop;
    };
    const common = { redis, connectForBlocking, keys, group: GROUP, consumer: instance };
    return {
      consumers: [
        new StreamConsumer({
          ...common,
          stream: keys.streams.plan,
          handle: (entry) => governor.answerPlan(entry),
        }),
        new StreamConsumer({
          ...common,
          stream: keys.streams.result,
          handle: (entry) => governor.settleResult(entry),
          // A result that is given up would be an order that no limit has been charged for.
          maxDeliveries: Infinity,
        }),
      ],
      begin: async () => startBooks(),
      stop: () => stopBooks(),
    };
  },
});
