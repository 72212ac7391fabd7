import { QUANTITY_ISSUER } from "@quantum/contract";
import { createBinanceExchange, type Exchange, parseVenue, type SymbolRules } from "@quantum/exchange";
import { createIssuer } from "@quantum/permits";
import { notDurable } from "@quantum/redis";
import { createSimulation, runService } from "@quantum/service-kit";
import { StreamConsumer } from "@quantum/streams";
import { allowlistOf, type Config, configSource, reserveTtlMs, simulationOf } from "./config.ts";
import { PositionBrain } from "./handler.ts";
import { OperatorCommands } from "./operator.ts";
import { createPairStore } from "./pair-store.ts";
import { PairRefresh } from "./refresh.ts";
import { startSchedule } from "./schedule.ts";
import { observe } from "./telemetry.ts";

const REQUEST_TIMEOUT_MS = 3_000;
const RECV_WINDOW_MS = 5_000;
/** Ages are judged by our clock and deadlines by Redis's. */
const CLOCK_BOUND_MS = 500;
const RULES_MAX_AGE_MS = 3_600_000;
const MS_PER_SEC = 1000;

await runService({
  name: "position-brain",
  summary: "P3.3: knows the positions, and how much of one may be closed",
  ...configSource,
  port: (config) => config.P33_METRICS_PORT,
  level: (config) => config.P33_LOG_LEVEL,
  start: async ({
    config,
    keys,
    redis,
    facts,
    log,
    registry,
    instance,
    connectForBlocking,
    connectForJobs,
  }) => {
    const venue = parseVenue(config.BINANCE_BASE_URL);
    const forgetful = notDurable(facts, CLOCK_BOUND_MS);
    if (forgetful.length > 0 && !venue.simulated)
      throw new Error(`Redis is refused: ${forgetful.join("; ")}`);
    if (forgetful.length > 0) log.warn({ problems: forgetful }, "this Redis would do for a simulation only");

    const exchange = await connectExchange(config, venue.baseUrl);
    const rules = await keepRules(exchange);
    const allowlist = allowlistOf(config);
    for (const symbol of allowlist) {
      if (rules.of(symbol) === undefined)
        log.warn({ symbol }, `${symbol} is allowed, but the exchange lists no such symbol`);
    }

    const pairs = createPairStore({
      redis,
      keys,
      source: venue.simulated ? "exchange-sim" : "binance-testnet",
    });
    const refresh = new PairRefresh({ exchange, pairs, allowlist });
    const group = QUANTITY_ISSUER;
    const brain = new PositionBrain({
      pairs,
      refresh,
      issuer: createIssuer({
        redis,
        keys,
        issuer: QUANTITY_ISSUER,
        group,
        permitTtlSec: config.P33_PERMIT_TTL,
        denialTtlSec: config.P33_PERMIT_TTL,
        reserveTtlMs: reserveTtlMs(config),
      }),
      rules: rules.of,
      limits: {
        allowlist,
        staleThresholdSec: config.P33_STALE_THRESHOLD_SEC,
        cooldownSec: config.P33_COOLDOWN_SEC,
        qtyTolerancePct: config.P33_QTY_TOLERANCE_PCT,
      },
      simulate: createSimulation(simulationOf(config)),
    });
    const operator = new OperatorCommands({ pairs, refresh });
    observe({ brain, refresh, operator, pairs, allowlist, registry, log });

    let stopSchedule = async () => {};
    const consumer = { redis, connectForBlocking, keys, group, consumer: instance };
    return {
      begin: async () => {
        await refresh.all();
        stopSchedule = await startSchedule({
          connectForJobs,
          keys,
          everyMs: Math.round(config.P33_POLL_SEC * MS_PER_SEC),
          refresh: async () => {
            await refresh.all();
            await rules.renew();
          },
          onError: (error) => log.error({ err: error }, "the refresh schedule failed, trying again"),
        });
      },
      consumers: [
        new StreamConsumer({ ...consumer, stream: keys.streams.plan, handle: brain.handlePlan }),
        new StreamConsumer({
          ...consumer,
          stream: keys.streams.result,
          handle: brain.handleResult,
          // However long the exchange is away, a result is needed afterwards.
          maxDeliveries: Infinity,
        }),
        new StreamConsumer({ ...consumer, stream: keys.streams.operatorAudit, handle: operator.handle }),
      ],
      stop: async () => {
        refresh.stop();
        await stopSchedule();
      },
    };
  },
});

async function connectExchange(config: Config, baseUrl: string): Promise<Exchange> {
  const exchange = createBinanceExchange({
    baseUrl,
    apiKey: config.BINANCE_TESTNET_API_KEY,
    apiSecret: config.BINANCE_TESTNET_API_SECRET,
    timeoutMs: REQUEST_TIMEOUT_MS,
    recvWindowMs: RECV_WINDOW_MS,
  });
  await exchange.serverTime();
  if (await exchange.hedgeMode()) {
    throw new Error(
      "the account is in hedge mode: one position a symbol is needed (positionSide/dual = false)",
    );
  }
  return exchange;
}

/** Order rules change rarely: asked for at the start, then once an hour. */
async function keepRules(exchange: Exchange) {
  let rules: ReadonlyMap<string, SymbolRules> = await exchange.rules();
  let readAtMs = Date.now();
  return {
    of: (symbol: string) => rules.get(symbol),
    async renew() {
      if (Date.now() - readAtMs < RULES_MAX_AGE_MS) return;
      rules = await exchange.rules();
      readAtMs = Date.now();
    },
  };
}
